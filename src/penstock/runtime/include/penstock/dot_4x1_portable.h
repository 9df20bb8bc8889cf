/* ps_dot_4x1 for compilers and cores without the DSP extension: what its variants compute. Internal to
 * them. */
#ifndef PENSTOCK_DOT_4X1_PORTABLE_H
#define PENSTOCK_DOT_4X1_PORTABLE_H

#include "penstock/dot_4x1.h"
#include "penstock/dsp.h"

static inline void dot_4x1_portable(const uint32_t *values, const int8_t *filters, int32_t fours,
                                    uint32_t *sums) {
  for (int32_t half = 0; half < 2; ++half) {
    int32_t low = 0;
    int32_t both = 0;
    for (int32_t pair = 0; pair < 2 * fours; ++pair) {
      const uint32_t word = ps_load_word(filters + 8 * pair + 4 * half);
      low = ps_multiply_pairs(word & 0x00FF00FFU, values[pair], low);
      both = ps_multiply_pairs(word, values[pair], both);
    }
    sums[2 * half] = (uint32_t)low;
    sums[2 * half + 1] = (uint32_t)both;
  }
}

#endif
