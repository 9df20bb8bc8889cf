/* ps_dot_int4_4x1 for compilers and cores without the DSP extension: what its variants compute.
 * Internal to them. */
#ifndef PENSTOCK_DOT_INT4_4X1_PORTABLE_H
#define PENSTOCK_DOT_INT4_4X1_PORTABLE_H

#include "penstock/dot_int4_4x1.h"
#include "penstock/dsp.h"

static inline void dot_int4_4x1_portable(const uint32_t *values, const uint8_t *filters,
                                         int32_t fours, uint32_t *sums) {
  int32_t found[4] = {0, 0, 0, 0};
  for (int32_t pairs = 2 * fours; pairs > 0; --pairs) {
    const uint32_t word = ps_load_word(filters);
    const uint32_t low = word & 0x0F0F0F0FU;
    const uint32_t high = word >> 4 & 0x0F0F0F0FU;
    found[0] = ps_multiply_pairs(ps_even_bytes(low), *values, found[0]);
    found[1] = ps_multiply_pairs(low, *values, found[1]);
    found[2] = ps_multiply_pairs(ps_even_bytes(high), *values, found[2]);
    found[3] = ps_multiply_pairs(high, *values, found[3]);
    filters += 4;
    ++values;
  }
  for (int32_t lane = 0; lane < 4; ++lane) {
    sums[lane] = (uint32_t)found[lane];
  }
}

#endif
