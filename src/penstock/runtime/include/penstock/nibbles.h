/* Filters of four bits, two to a byte: the first in the lower half. */
#ifndef PENSTOCK_NIBBLES_H
#define PENSTOCK_NIBBLES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the number in the lower four bits, within [-8, 7]. */
static inline int32_t ps_nibble(int32_t bits) { return ((bits & 0x0F) ^ 8) - 8; }

/* Writes the filters of a channel as int8; returns those of the next one, which begin with a byte. */
static inline const uint8_t *ps_unpack_nibbles(const uint8_t *packed, int32_t count, int8_t *to) {
  for (; count > 0; count -= 2) {
    const int32_t byte = *packed++;
    *to++ = (int8_t)ps_nibble(byte);
    if (count > 1) {
      *to++ = (int8_t)ps_nibble(byte >> 4);
    }
  }
  return packed;
}

#ifdef __cplusplus
}
#endif

#endif
