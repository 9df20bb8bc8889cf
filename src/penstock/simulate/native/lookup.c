/* A short-cut for the emulator: which memory an address belongs to.
 *
 * Unicorn 2.1.3 asks for that at each access that is watched, and searches a tree each time, which
 * takes a third of its time. The function that searches is exported, and found by value in the
 * emulator's structure, so that a table of recent answers can be put in front of it. Where it is
 * not found nothing changes but the speed. */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>

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

static _Thread_local recent answers;
static finder search;

static void *find(void *engine, uint64_t address) {
  const uint64_t page = (address >> LOOKUP_PAGE_SHIFT) + 1u;
  entry *found = &answers.entries[page % ENTRY_COUNT];
  if (answers.engine != engine) {
    size_t index;
    for (index = 0; index < ENTRY_COUNT; ++index) {
      answers.entries[index].page = 0;
    }
    answers.engine = engine;
  }
  if (found->page != page) {
    void *memory = search(engine, address);
    if (memory == NULL) {
      return NULL;
    }
    found->memory = memory;
    found->page = page;
  }
  return found->memory;
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
