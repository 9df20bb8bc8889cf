/* ps_sum_4x2 for compilers and cores without the DSP extension: what its variants compute. Internal
 * to them. */
#ifndef PENSTOCK_SUMS_4X2_PORTABLE_H
#define PENSTOCK_SUMS_4X2_PORTABLE_H

#include "penstock/dsp.h"
#include "penstock/sums_4x2.h"

static inline void sum_4x2_portable(const ps_block_sums *block) {
  const uint32_t *columns = block->columns;
  uint32_t *sums = block->sums;
  for (int32_t two = 0; two < block->column_pairs; ++two) {
    for (int32_t lane = 0; lane < 4; ++lane) {
      int32_t sum_0 = (int32_t)block->filters[lane - 4];
      int32_t sum_1 = sum_0;
      for (int32_t k = 0; k < block->pairs; ++k) {
        const uint32_t filter = block->filters[4 * k + lane];
        sum_0 = ps_multiply_pairs(filter, columns[2 * k], sum_0);
        sum_1 = ps_multiply_pairs(filter, columns[2 * k + 1], sum_1);
      }
      sums[lane] = (uint32_t)sum_0;
      sums[4 + lane] = (uint32_t)sum_1;
    }
    columns += 2 * block->pairs;
    sums += block->sums_step / 4;
  }
}

#endif
