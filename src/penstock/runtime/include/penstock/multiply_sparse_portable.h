/* ps_multiply_sparse for compilers and cores without the DSP extension: what its variants compute.
 * Internal to them. */
#ifndef PENSTOCK_MULTIPLY_SPARSE_PORTABLE_H
#define PENSTOCK_MULTIPLY_SPARSE_PORTABLE_H

#include "penstock/dsp_scaling.h"
#include "penstock/multiply_sparse.h"
#include "penstock/sparse_filters.h"

/* Adds the products of a weight and the pixels of a row. */
static inline void add_row_portable(const uint32_t *row, int32_t weight, int32_t *sums) {
  for (int32_t pixel = 0; pixel < PS_SPARSE_PIXELS; ++pixel) {
    sums[pixel] += (int16_t)(row[pixel / 2] >> (pixel % 2 * 16)) * weight;
  }
}

static inline void multiply_sparse_portable(const ps_sparse_block *block) {
  const uint8_t *filters = block->filters;
  for (int32_t channel = 0; channel < block->channels; ++channel) {
    const ps_dsp_scaling *scaling = &block->scaling[channel];
    const uint32_t *row = block->rows + 4 * ps_sparse_first(filters);
    const uint8_t *const end = ps_sparse_next(filters);
    int32_t sums[PS_SPARSE_PIXELS] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (const uint8_t *pair = filters + 2; pair != end; pair += 3) {
      add_row_portable(row, (int8_t)pair[0], sums);
      row += 4 * (pair[2] & 0x0F);
      add_row_portable(row, (int8_t)pair[1], sums);
      row += 4 * (pair[2] >> 4);
    }
    for (int32_t pixel = 0; pixel < PS_SPARSE_PIXELS; ++pixel) {
      block->output[pixel * block->output_step + channel] =
          ps_scale_sum(scaling, sums[pixel] + scaling->bias);
    }
    filters = end;
  }
}

#endif
