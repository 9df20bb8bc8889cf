/* Which blocks the emulator watches: those whose accesses cannot be computed, and rare ones.
 *
 * A watched access takes the emulator several times as long as another. Whether accesses are
 * watched is decided when a block is translated, so that a block that has run often is translated
 * again, at a moment when nothing watches. The emulator may translate it once more later, for
 * reasons of its own: what it then reports is not looked at. */
#include <stdlib.h>
#include <string.h>

#include "monitor.h"

enum { RUNS_UNTIL_COMPUTED = 256 };
enum { HOOK_ACCESSES = 3072 }; /* UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE */
enum { EVERYWHERE_FROM = 1, EVERYWHERE_TO = 0 };
static const uint32_t CONTROL_TRANSLATE = 8u | 2u << 26 | 3u << 30; /* uc_ctl_request_cache */
static const uint32_t CONTROL_FORGET = 9u | 2u << 26 | 1u << 30;    /* uc_ctl_remove_cache */

typedef struct translation { /* uc_tb */
  uint64_t address;
  uint16_t instructions;
  uint16_t size_bytes;
} translation;

static int keep(ps_address_step **kept, const ps_address_step *steps, int count) {
  free(*kept);
  *kept = malloc((size_t)count * sizeof *steps + 1u);
  if (*kept == NULL) {
    return 0;
  }
  memcpy(*kept, steps, (size_t)count * sizeof *steps);
  return 1;
}

static int derive(monitor *m, block *entry) {
  ps_address_step steps[PS_STEPS_MAX];
  const int count = m->derive(entry->address, entry->size_bytes, steps);
  if (count < 0 || !keep(&entry->steps, steps, count)) {
    return 0;
  }
  entry->step_count = (uint32_t)count;
  return 1;
}

int ps_watch_hints(monitor *m, block *entry) {
  ps_address_step steps[PS_STEPS_MAX];
  int count;
  entry->preload_step_count = 0;
  if (m->clock == NULL || m->registers == NULL) {
    return 1;
  }
  count = m->derive_preloads(entry->address, entry->size_bytes, steps);
  if (count == 0) {
    return 1;
  }
  if (!keep(&entry->preload_steps, steps, count)) {
    return 0;
  }
  entry->preload_step_count = (uint32_t)count;
  return 1;
}

int ps_watch_block(monitor *m, block *entry, uint64_t *events) {
  int hints = 0;
  int count = 0;
  if (entry->preload_step_count != 0u) {
    hints = ps_compute_accesses(entry->preload_steps, entry->preload_step_count, &m->space,
                                m->registers, events);
    hints = hints < 0 ? 0 : hints; /* an address is loaded from where no memory is */
  }
  m->is_computed = entry->state == BLOCK_COMPUTED;
  if (m->is_computed) {
    count = ps_compute_accesses(entry->steps, entry->step_count, &m->space, m->registers,
                                events + hints);
    if (count >= 0) {
      return hints + count;
    }
    entry->state = BLOCK_WATCHED;
  } else if (entry->state == BLOCK_NEW && entry->count >= RUNS_UNTIL_COMPUTED && m->may_compute &&
             entry->address != 0u) { /* which the emulator takes for no address, here and there */
    entry->state = derive(m, entry) ? BLOCK_COMPUTED : BLOCK_WATCHED;
    count = entry->state == BLOCK_COMPUTED ? -1 : 0;
  }
  m->changing = count < 0 ? (uint64_t)entry->address + 1u : 0u;
  return count < 0 ? count : hints;
}

/* Blocks may share code: what is forgotten of one is forgotten of others. The emulator also forgets
 * the block that ends where it was told to stop. */
static void translate_unwatched(monitor *m, void *engine, const block *changed) {
  translation result;
  uint64_t index;
  for (index = 0; index < m->block_capacity; ++index) {
    const block *other = &m->blocks[index];
    if (other->instructions != 0u && other->state == BLOCK_COMPUTED &&
        other->address < changed->address + changed->size_bytes &&
        changed->address <= other->address + other->size_bytes) {
      (void)m->control(engine, (int)CONTROL_TRANSLATE, (uint64_t)other->address, &result);
    }
  }
}

void ps_watch_change(monitor *m, void *engine) {
  const block *changed = ps_monitor_find(m, (uint32_t)(m->changing - 1u));
  const uint64_t start = changed->address;
  const uint64_t end = start + changed->size_bytes;
  m->changing = 0;
  (void)m->control(engine, (int)CONTROL_FORGET, start, end);
  if (!m->may_compute) {
    return;
  }
  /* Deleted hooks stay until the emulator starts; told to stop where it starts, it runs nothing. */
  (void)m->delete_hook(engine, m->access_hook);
  (void)m->start(engine, start | 1u, start, 0, 0);
  (void)m->control(engine, (int)CONTROL_FORGET, start, end);
  translate_unwatched(m, engine, changed);
  (void)m->add_hook(engine, &m->access_hook, HOOK_ACCESSES,
                    (void *)(uintptr_t)ps_monitor_on_access, m, (uint64_t)EVERYWHERE_FROM,
                    (uint64_t)EVERYWHERE_TO);
}
