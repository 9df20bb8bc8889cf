/* ps_multiply_4x2 for compilers and cores without the DSP extension: what its variants compute.
 * Internal to them. */
#ifndef PENSTOCK_MULTIPLY_4X2_PORTABLE_H
#define PENSTOCK_MULTIPLY_4X2_PORTABLE_H

#include "penstock/dsp_scaling.h"
#include "penstock/multiply_4x2.h"

static inline void multiply_4x2_portable(const ps_block_4x2 *block) {
  const uint32_t *pixels = block->pixels;
  int8_t *output = block->output;
  for (int32_t pair = 0; pair < block->pixel_pairs; ++pair) {
    for (int32_t lane = 0; lane < 4; ++lane) {
      int32_t sum_0 = block->scaling[lane].bias;
      int32_t sum_1 = sum_0;
      for (int32_t k = 0; k < block->tap_pairs; ++k) {
        const uint32_t filter = block->filters[4 * k + lane];
        sum_0 = ps_multiply_pairs(filter, pixels[2 * k], sum_0);
        sum_1 = ps_multiply_pairs(filter, pixels[2 * k + 1], sum_1);
      }
      output[lane] = ps_scale_sum(&block->scaling[lane], sum_0);
      output[block->output_step + lane] = ps_scale_sum(&block->scaling[lane], sum_1);
    }
    pixels += 2 * block->tap_pairs;
    output += 2 * block->output_step;
  }
}

#endif
