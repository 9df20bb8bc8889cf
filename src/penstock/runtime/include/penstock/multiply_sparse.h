/* Products of filters without their zeros with eight pixels. Internal to ps_conv_2d_sparse_dsp_s8. */
#ifndef PENSTOCK_MULTIPLY_SPARSE_H
#define PENSTOCK_MULTIPLY_SPARSE_H

#include <stdint.h>

#include "penstock/conv_2d_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PS_SPARSE_PIXELS = 8 };

/* All fields are words, in the order in which the code loads them. */
typedef struct ps_sparse_block {
  const uint8_t *filters;        /* penstock/sparse_filters.h */
  const uint32_t *rows;          /* of each tap four words, of two pixels each */
  const ps_dsp_scaling *scaling; /* of each channel */
  int8_t *output;                /* first pixel, first channel */
  int32_t output_step;           /* elements from pixel to pixel */
  int32_t channels;              /* at least 1 */
} ps_sparse_block;

/* Computes all channels of eight pixels. */
void ps_multiply_sparse(const ps_sparse_block *block);

#ifdef __cplusplus
}
#endif

#endif
