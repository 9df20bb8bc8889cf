/* memcpy, memmove and memset for a compiler that brings no C library.
 * Compile with -fno-tree-loop-distribute-patterns, or the loops call themselves. */
#include <string.h>

void *memcpy(void *destination, const void *source, size_t size) {
  unsigned char *to = destination;
  const unsigned char *from = source;
  while (size-- > 0) {
    *to++ = *from++;
  }
  return destination;
}

void *memmove(void *destination, const void *source, size_t size) {
  unsigned char *to = destination;
  const unsigned char *from = source;
  if (to <= from) {
    return memcpy(destination, source, size);
  }
  while (size-- > 0) {
    to[size] = from[size];
  }
  return destination;
}

void *memset(void *destination, int value, size_t size) {
  unsigned char *to = destination;
  while (size-- > 0) {
    *to++ = (unsigned char)value;
  }
  return destination;
}
