/* A short-cut for the emulator: which memory an address belongs to.
 *
 * Unicorn 2.1.3 asks for that at each access that is watched, and searches a tree each time, which
 * takes a third of its time. The function that searches is exported, and found by value in the
 * emulator's structure, so that a table of recent answers can be put in front of it. Where it is
 * not found nothing changes but the speed. */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { ENTRY_COUNT = 64, LOOKUP_PAGE_SHIFT = 12 };

typedef void *(*finder)(void *engine, uint64_t address);

typedef struct entry {
  uint64_t page; /* plus one: 0 is free */
  void *memory;
} entry;

/* A run of an engine is a thread of its own, in which memory is only ever added: what was found
 * stays right. */
typedef struct recent {
  void *engine;
  entry entries[ENTRY_COUNT];
} recent;

static _Thread_local recent answers __attribute__((tls_model("initial-exec")));
static finder search;

static __attribute__((noinline)) void *find_anew(void *engine, uint64_t address, recent *mine) {
  const uint64_t page = (address >> LOOKUP_PAGE_SHIFT) + 1u;
  entry *place = &mine->entries[page % ENTRY_COUNT];
  void *memory = search(engine, address);
  if (mine->engine != engine) {
    memset(mine, 0, sizeof *mine);
    mine->engine = engine;
  }
  if (memory != NULL) {
    place->memory = memory;
    place->page = page;
  }
  return memory;
}

static void *find(void *engine, uint64_t address) {
  recent *mine = &answers;
  const uint64_t page = (address >> LOOKUP_PAGE_SHIFT) + 1u;
  const entry *found = &mine->entries[page % ENTRY_COUNT];
  if (found->page == page && mine->engine == engine) {
    return found->memory;
  }
  return find_anew(engine, address, mine);
}

/* Returns whether the short-cut is in place. */
int ps_shorten_lookup(void *engine, finder original) {
  finder *fields = engine;
  const size_t count = malloc_usable_size(engine) / sizeof *fields;
  size_t index;
  for (index = 0; index < count; ++index) {
    if (fields[index] == original) {
      search = original;
      fields[index] = find;
      return 1;
    }
  }
  return 0;
}
