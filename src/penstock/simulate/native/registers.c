/* Where the emulator keeps the registers of the core.
 *
 * Its interface copies one register for each call, which takes longer than a block of code; the
 * registers themselves lie in one of its objects. Where they are not found, nothing changes but the
 * speed. */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "addresses.h"

enum { OBJECT_BYTES = 1 << 18 }; /* how much of each object is searched */

/* Reads what may not be mapped at all; returns how many bytes could be read. */
static size_t read_object(const void *object, uint8_t *bytes, size_t size) {
  const struct iovec to = {bytes, size};
  const struct iovec from = {(void *)(uintptr_t)object, size};
  const ssize_t count = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
  return count < 0 ? 0u : (size_t)count;
}

/* The pattern is nowhere else, for it is never written down. */
static const uint8_t *find_multiples(const uint8_t *bytes, size_t size, uint32_t seed,
                                     uint32_t count) {
  const uint32_t *words = (const uint32_t *)(const void *)bytes;
  const size_t word_count = size / sizeof *words;
  size_t index;
  for (index = 0; index + count <= word_count; ++index) {
    uint32_t number = 0;
    while (number < count && words[index + number] == seed * (number + 1u)) {
      ++number;
    }
    if (number == count) {
      return bytes + index * sizeof *words;
    }
  }
  return NULL;
}

uint32_t *ps_find_registers(void *engine, uint32_t seed, uint32_t count) {
  void *const *fields = engine;
  const size_t field_count = malloc_usable_size(engine) / sizeof *fields;
  uint8_t *copy = malloc(OBJECT_BYTES);
  uint32_t *found = NULL;
  size_t index;
  for (index = 0; copy != NULL && found == NULL && index < field_count; ++index) {
    const size_t size = ((uintptr_t)fields[index] & 7u) == 0u
                            ? read_object(fields[index], copy, OBJECT_BYTES)
                            : 0u;
    const uint8_t *place = find_multiples(copy, size, seed, count);
    if (place != NULL) {
      found = (uint32_t *)(void *)((uint8_t *)fields[index] + (place - copy));
    }
  }
  if (copy != NULL) {
    explicit_bzero(copy, OBJECT_BYTES); /* nobody shall find the copy */
  }
  free(copy);
  return found;
}
