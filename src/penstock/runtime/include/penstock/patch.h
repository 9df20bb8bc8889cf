/* What one output pixel of a convolution reads, and its products with the filters. Internal to the
 * convolution kernels. */
#ifndef PENSTOCK_PATCH_H
#define PENSTOCK_PATCH_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The grid of filter taps that lie inside the input. Steps count elements and may be negative. */
typedef struct ps_patch {
  int32_t rows; /* 0 when every tap is padding; then columns is 0, too */
  int32_t columns;
  int32_t input_start; /* input element under the first tap, channel 0 */
  int32_t input_row_step;
  int32_t input_column_step;
  int32_t filter_start; /* first element of the first tap within a filter */
  int32_t filter_row_step;
  int32_t filter_column_step;
} ps_patch;

/* Returns the patch that a convolution reads for output row y, column x. */
ps_patch ps_locate_patch(const ps_conv_2d_params *params, int32_t y, int32_t x);

/* Returns the same for a transposed convolution. */
ps_patch ps_locate_transposed_patch(const ps_conv_2d_params *params, int32_t y, int32_t x);

/* Computes all output channels of one pixel from its patch, for filters of
 * [output_channels, filter_height, filter_width, filter_channels]. input is the batch's first
 * element, output the pixel's. */
void ps_convolve_patch_s8(const ps_conv_2d_params *params, const ps_patch *patch,
                          const int8_t *input, const int8_t *filters, const int32_t *bias,
                          const int32_t *multipliers, const int8_t *shifts, int8_t *output);

void ps_convolve_patch_s16(const ps_conv_2d_params *params, const ps_patch *patch,
                           const int16_t *input, const int8_t *filters, const int64_t *bias,
                           const int32_t *multipliers, const int8_t *shifts, int16_t *output);

/* Adds to sums[0] the products of one channel's taps with a depthwise filter's. input and filters
 * point at channel elements of the first tap. */
void ps_multiply_taps_1_s8(const ps_patch *patch, const int8_t *input, int32_t input_offset,
                           const int8_t *filters, uint32_t *sums);

/* Adds to sums[0 .. 3] the same for four adjacent channels. */
void ps_multiply_taps_4_s8(const ps_patch *patch, const int8_t *input, int32_t input_offset,
                           const int8_t *filters, uint32_t *sums);

/* Adds to sums[0 .. 3] the same for four adjacent filters of one input channel. */
void ps_multiply_taps_shared_4_s8(const ps_patch *patch, const int8_t *input, int32_t input_offset,
                                  const int8_t *filters, uint32_t *sums);

#ifdef __cplusplus
}
#endif

#endif
