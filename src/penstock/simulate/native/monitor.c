/* What watches the virtual board while it runs: callbacks that the emulator calls directly.
 *
 * Blocks are counted, not instructions: a block is decoded once, and each later execution adds its
 * length to the totals. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "dma.h"
#include "monitor.h"
#include "thumb.h"

/* UC_ARM_REG_LR, UC_ARM_REG_PC, UC_ARM_REG_SP, UC_ARM_REG_R0 */
enum { REGISTER_LR = 10, REGISTER_PC = 11, REGISTER_SP = 12, REGISTER_R0 = 66 };
enum { PROTECTION_READ_WRITE = 3, PAGE_BYTES = 4096 };
enum { BLOCK_BYTES_MAX = 2048 }; /* the emulator ends a block at a page, or at 512 instructions */
enum { NO_OPERATOR = 0 };
enum { GRANULE_SHIFT = 4 };
static const uint64_t NOWHERE = 0xFFFFFFFEu;
enum { WFE = 0xBF20, WFI = 0xBF30, WIDE_HINT = 0xF3AF, WIDE_WFE = 0x8002, WIDE_WFI = 0x8003 };
enum { ACCESS_WRITE = 17 }; /* UC_MEM_WRITE */

typedef enum stop_reason {
  STOP_NONE = 0,
  STOP_LIMIT = 1,     /* the instruction limit was reached */
  STOP_ACCESS = 2,    /* an access that the memory map forbids; `access` says which */
  STOP_EXCEPTION = 3, /* `access` is the emulator's exception number */
  STOP_UNDEFINED = 4, /* not an instruction */
  STOP_UNALIGNED = 5, /* an instruction that requires alignment */
  STOP_STACK = 6,     /* the stack has grown into the memory below it */
  STOP_TIMING = 7,    /* code whose cost is not known, or what a sanitizer found */
  STOP_ASLEEP = 8,    /* asleep, and nothing will wake the core */
  STOP_MEMORY = 9     /* this computer has no memory left to count with */
} stop_reason;

static uint32_t read_register(monitor *m, void *engine, int number) {
  uint32_t value = 0;
  m->read_register(engine, number, &value);
  return value;
}

static void stop(monitor *m, void *engine, stop_reason reason) {
  if (m->reason == STOP_NONE) {
    m->reason = reason;
    m->pc = read_register(m, engine, REGISTER_PC);
  }
  m->stop(engine);
}

static void record_access(monitor *m, int access, uint64_t address, int size) {
  m->access = (uint64_t)access;
  m->address = address;
  m->size_bytes = (uint64_t)size;
}

static uint32_t find_function(const monitor *m, uint32_t address) {
  uint32_t low = 0;
  uint32_t high = (uint32_t)m->function_count - 1u;
  while (low < high) {
    const uint32_t middle = (low + high) / 2u;
    if (address < m->functions[middle].start) {
      high = middle;
    } else if (address >= m->functions[middle].end) {
      low = middle + 1u;
    } else {
      return middle;
    }
  }
  return (uint32_t)m->function_count - 1u;
}

static block *slot_of(block *blocks, uint64_t capacity, uint32_t address) {
  uint64_t slot = ((uint64_t)address * 0x9E3779B97F4A7C15u) >> 20;
  for (;; ++slot) {
    block *candidate = &blocks[slot & (capacity - 1u)];
    if (candidate->instructions == 0u || candidate->address == address) {
      return candidate;
    }
  }
}

block *ps_monitor_find(const monitor *m, uint32_t address) {
  return slot_of(m->blocks, m->block_capacity, address);
}

static int grow(monitor *m) {
  const uint64_t capacity = m->block_capacity ? m->block_capacity * 2u : 4096u;
  block *blocks = calloc(capacity, sizeof *blocks);
  uint64_t index;
  if (blocks == NULL) {
    return 0;
  }
  for (index = 0; index < m->block_capacity; ++index) {
    if (m->blocks[index].instructions != 0u) {
      *slot_of(blocks, capacity, m->blocks[index].address) = m->blocks[index];
    }
  }
  free(m->blocks);
  m->blocks = blocks;
  m->block_capacity = capacity;
  return 1;
}

/* Adds a block's executions to its function, so that its slot can be given a new meaning. */
static void settle(monitor *m, block *entry) {
  m->functions[entry->function].instructions += entry->count * entry->instructions;
  entry->count = 0;
}

/* Code is watched in granules: what shares one with it is looked at twice when it is written. */
static uint64_t granule(uint64_t address) { return (uint32_t)address >> GRANULE_SHIFT; }

static int is_code(const monitor *m, uint64_t address) {
  return m->code != NULL && (m->code[granule(address) >> 3] >> (granule(address) & 7u) & 1u) != 0u;
}

static int note_code(monitor *m, uint32_t address, uint32_t size) {
  uint64_t index;
  if (m->code == NULL) {
    m->code = calloc((granule(UINT32_MAX) + 1u) >> 3, 1);
  }
  for (index = granule(address); m->code != NULL && index <= granule(address + size - 1u); ++index) {
    m->code[index >> 3] |= (uint8_t)(1u << (index & 7u));
  }
  return m->code != NULL;
}

/* Blocks that a store has changed are described anew when they run again. */
static void forget_code(monitor *m, uint64_t address, uint64_t size) {
  uint64_t index;
  for (index = 0; index < m->block_capacity; ++index) {
    block *entry = &m->blocks[index];
    if (entry->instructions != 0u && address < entry->address + entry->size_bytes &&
        entry->address < address + size) {
      entry->size_bytes = 0;
    }
  }
}

static block *describe(monitor *m, void *engine, uint32_t address, uint32_t size) {
  uint8_t code[BLOCK_BYTES_MAX];
  const uint32_t code_size = size < sizeof code ? size : (uint32_t)sizeof code;
  ps_thumb_summary summary = {0, 0};
  block *entry;
  if (!note_code(m, address, size) || (m->block_count * 2u >= m->block_capacity && !grow(m))) {
    return NULL;
  }
  entry = slot_of(m->blocks, m->block_capacity, address);
  if (entry->instructions == 0u) {
    ++m->block_count;
  } else {
    settle(m, entry);
  }
  entry->address = address;
  entry->size_bytes = size;
  entry->state = BLOCK_NEW;
  if (m->read_memory(engine, address, code, code_size) == 0) {
    summary = ps_thumb_summarize(code, code_size);
  }
  entry->instructions = summary.instructions ? summary.instructions : 1u; /* it runs, after all */
  entry->needs_alignment = summary.needs_alignment;
  entry->function = find_function(m, address);
  entry->enters_operator = m->functions[entry->function].start == address
                               ? m->functions[entry->function].operator_slot
                               : NO_OPERATOR;
  entry->timed = m->clock != NULL ? ps_stream_describe(m->clock, address, size) : 0u;
  return ps_watch_hints(m, entry) ? entry : NULL;
}

void ps_monitor_on_block(void *engine, uint64_t address, uint32_t size, monitor *m) {
  block *entry = NULL;
  int access_count;
  if (m->block_capacity != 0u) {
    entry = slot_of(m->blocks, m->block_capacity, (uint32_t)address);
  }
  if (entry == NULL || entry->instructions == 0u || entry->size_bytes != size) {
    entry = describe(m, engine, (uint32_t)address, size);
    if (entry == NULL) {
      stop(m, engine, STOP_MEMORY);
      return;
    }
  }
  access_count = ps_watch_block(m, entry, m->clock == NULL ? NULL : ps_stream_room(m->clock));
  if (access_count < 0) {
    m->stop(engine); /* before the block has any effect: it comes again */
    return;
  }
  if (address == m->return_address) {
    m->operator_slot = NO_OPERATOR;
    m->return_address = 0;
  }
  if (entry->enters_operator != NO_OPERATOR) {
    m->operator_slot = entry->enters_operator;
    m->return_address = read_register(m, engine, REGISTER_LR) & ~1u;
  }
  ++entry->count;
  m->last_block = address;
  m->instructions += entry->instructions;
  m->operator_instructions[m->operator_slot] += entry->instructions;
  if (m->clock != NULL) {
    ps_stream_block(m->clock, (uint32_t)entry->timed, m->operator_slot, access_count);
    if (m->clock->timing->has_failed) {
      stop(m, engine, STOP_TIMING);
    }
  }
  if (m->instructions > m->limit) {
    stop(m, engine, STOP_LIMIT);
  }
}

/* Called for an access that the memory map does not allow. Pages of register space come into being
 * on first use and behave as memory. */
int ps_monitor_on_invalid_access(void *engine, int access, uint64_t address, int size,
                                 int64_t value, monitor *m) {
  uint64_t index;
  (void)value;
  for (index = 0; index < m->peripheral_count; ++index) {
    if (address >= m->peripherals[index].start && address < m->peripherals[index].end &&
        m->map_memory(engine, address & ~(uint64_t)(PAGE_BYTES - 1), PAGE_BYTES,
                      PROTECTION_READ_WRITE) == 0) {
      return 1;
    }
  }
  record_access(m, access, address, size);
  stop(m, engine, STOP_ACCESS);
  return 0;
}

void ps_monitor_on_exception(void *engine, uint32_t number, monitor *m) {
  m->access = number;
  stop(m, engine, STOP_EXCEPTION);
}

/* Returns the sleeping instruction that the core has just executed, or 0: the emulator stops behind
 * it, at the end of a block. */
static uint32_t find_hint(monitor *m, void *engine) {
  const uint32_t pc = read_register(m, engine, REGISTER_PC);
  const block *last = m->block_capacity == 0u
                          ? NULL
                          : slot_of(m->blocks, m->block_capacity, (uint32_t)m->last_block);
  uint16_t code[2] = {0, 0};
  if (last == NULL || last->address + last->size_bytes != pc ||
      m->read_memory(engine, pc - sizeof code, code, sizeof code) != 0) {
    return 0;
  }
  if (code[1] == WFI || code[1] == WFE) {
    return code[1];
  }
  return code[0] != WIDE_HINT ? 0u : code[1] == WIDE_WFI ? WFI : code[1] == WIDE_WFE ? WFE : 0u;
}

static int sleep_until_woken(monitor *m, uint32_t hint) {
  if (m->clock == NULL || m->clock->timing->dma == NULL) {
    return 0;
  }
  ps_stream_drain(m->clock);
  return ps_dma_sleep(m->clock->timing, hint == WFE);
}

/* Runs from an address until something stops the core for good; sleep is passed over. */
void ps_monitor_run(void *engine, uint64_t address, monitor *m) {
  uint64_t instructions;
  uint32_t hint;
  for (;;) {
    instructions = m->instructions;
    m->start(engine, address | 1u, NOWHERE, 0, 0);
    if (m->reason != STOP_NONE) {
      return;
    }
    if (m->changing != 0u) {
      ps_watch_change(m, engine);
    } else if (m->instructions == instructions || (hint = find_hint(m, engine)) == 0u) {
      return; /* where a controlling program stops the core, no instruction is added */
    } else if (!sleep_until_woken(m, hint)) {
      stop(m, engine, STOP_ASLEEP);
      return;
    }
    address = read_register(m, engine, REGISTER_PC);
  }
}

int ps_monitor_on_undefined(void *engine, monitor *m) {
  if (find_hint(m, engine) != 0u) {
    return 0;
  }
  stop(m, engine, STOP_UNDEFINED);
  return 0;
}

/* The emulator's program counter is that of the block, so that the instruction has to be found. */
static void check_alignment(void *engine, int access, uint64_t address, int size, monitor *m) {
  uint8_t code[BLOCK_BYTES_MAX];
  uint32_t registers[16];
  const block *current;
  int number;
  int32_t offset;
  current = slot_of(m->blocks, m->block_capacity, (uint32_t)m->last_block);
  if (current->needs_alignment == 0u || current->size_bytes > sizeof code ||
      m->read_memory(engine, current->address, code, current->size_bytes) != 0) {
    return;
  }
  for (number = 0; number < 13; ++number) {
    registers[number] = read_register(m, engine, REGISTER_R0 + number);
  }
  registers[13] = read_register(m, engine, REGISTER_SP);
  registers[14] = read_register(m, engine, REGISTER_LR);
  registers[15] = current->address;
  offset = ps_thumb_find_unaligned(code, current->size_bytes, registers, (uint32_t)address);
  if (offset >= 0 && m->reason == STOP_NONE) {
    stop(m, engine, STOP_UNALIGNED);
    m->pc = current->address + (uint32_t)offset;
    record_access(m, access, address, size);
  }
}

void ps_monitor_on_access(void *engine, int access, uint64_t address, int size, int64_t value,
                          monitor *m) {
  if (access == ACCESS_WRITE && (is_code(m, address) || is_code(m, address + (uint64_t)size - 1u))) {
    forget_code(m, address, (uint64_t)size);
  }
  if (m->is_computed) {
    return;
  }
  if (m->clock != NULL) {
    ps_stream_access(m->clock, (uint32_t)address, (uint32_t)size, access == ACCESS_WRITE,
                     (uint32_t)value);
  }
  if (address >= m->space.guard_start && address < m->space.guard_end && m->reason == STOP_NONE &&
      read_register(m, engine, REGISTER_SP) < m->space.guard_end) {
    record_access(m, access, address, size);
    stop(m, engine, STOP_STACK);
  }
  if (size >= 4 && (address & 3u) != 0u) {
    check_alignment(engine, access, address, size, m);
  }
}

/* Completes `functions[].instructions`. */
void ps_monitor_settle(monitor *m) {
  uint64_t index;
  for (index = 0; index < m->block_capacity; ++index) {
    if (m->blocks[index].instructions != 0u) {
      settle(m, &m->blocks[index]);
    }
  }
}

void ps_monitor_free(monitor *m) {
  uint64_t index;
  for (index = 0; index < m->block_capacity; ++index) {
    free(m->blocks[index].steps);
    free(m->blocks[index].preload_steps);
  }
  free(m->blocks);
  free(m->code);
  m->code = NULL;
  m->blocks = NULL;
  m->block_capacity = 0;
  m->block_count = 0;
}
