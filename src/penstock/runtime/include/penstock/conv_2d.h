/* Two-dimensional convolution, grouped convolution included.
 *
 *   output[n, y, x, c] = clamp(output_offset + requantize(bias[c] +
 *       sum over ky, kx, k of (input[n, iy, ix, g + k] + input_offset) *
 *                             (filters[c, ky, kx, k] + filter_offset)))
 *   iy = y * stride_height + ky * dilation_height - padding_top
 *   ix = x * stride_width + kx * dilation_width - padding_left
 *   g  = c / (output_channels / groups) * filter_channels
 *
 * where positions outside the input contribute nothing, and requantize() multiplies by
 * multipliers[c] * 2^(shifts[c] - 31) (penstock/fixed_point.h).
 */
#ifndef PENSTOCK_CONV_2D_H
#define PENSTOCK_CONV_2D_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Geometry and quantization of a convolution of any kind.
 *
 * Strides count elements, so that input and output may be parts (tiles) of larger tensors. Fields
 * named input_, output_ describe the part that this call computes.
 */
typedef struct ps_conv_2d_params {
  int32_t batches;
  int32_t input_height;
  int32_t input_width;
  int32_t input_channels;
  int32_t input_batch_stride;
  int32_t input_row_stride;
  int32_t input_column_stride; /* >= input_channels; equal where pixels are adjacent */
  int32_t output_height;
  int32_t output_width;
  int32_t output_channels; /* a multiple of groups */
  int32_t output_batch_stride;
  int32_t output_row_stride;
  int32_t output_column_stride;
  int32_t groups; /* input_channels / filter_channels */
  int32_t filter_height;
  int32_t filter_width;
  int32_t filter_channels; /* innermost extent of the filters */
  int32_t stride_height;   /* >= 1, as are the three below */
  int32_t stride_width;
  int32_t dilation_height;
  int32_t dilation_width;
  int32_t padding_top; /* >= 0; padding below and to the right follows from the extents */
  int32_t padding_left;
  int32_t input_offset;    /* minus the input's zero point: [-127, 128]; int16: 0 */
  int32_t filter_offset;   /* minus the filters' zero point: 0 but in legacy models; int16: 0 */
  int32_t output_offset;   /* the output's zero point: [-128, 127]; int16: 0 */
  int32_t multiplier_step; /* 1: a multiplier and shift for each channel; 0: one for all */
  int32_t narrow_sums;     /* int16 only: see ps_conv_2d_s16; int8: 0 */
  int32_t activation_min;  /* within the range of the output's type, as is the next */
  int32_t activation_max;
  int32_t scratch_pixels; /* DSP kernels: output pixels, Winograd: patches, that scratch has room
                             for; others: 0 */
} ps_conv_2d_params;

/* Convolves int8.
 *
 * filters: [output_channels, filter_height, filter_width, filter_channels], dense.
 * bias: [output_channels], or NULL for zeros.
 * multipliers, shifts: [output_channels] or [1]; see multiplier_step.
 * output: must not overlap input.
 */
void ps_conv_2d_s8(const ps_conv_2d_params *params, const int8_t *input, const int8_t *filters,
                   const int32_t *bias, const int32_t *multipliers, const int8_t *shifts,
                   int8_t *output);

/* Convolves int16 activations with int8 filters. All zero points are 0.
 *
 * Sums have 64 bits and are requantized with 16-bit multipliers (ps_requantize_s64): shifts are at
 * most 7, |bias| < 2^46. With narrow_sums (models whose bias has 32 bits) sums wrap to 32 bits and
 * are requantized as those of ps_conv_2d_s8. Otherwise as ps_conv_2d_s8.
 */
void ps_conv_2d_s16(const ps_conv_2d_params *params, const int16_t *input, const int8_t *filters,
                    const int64_t *bias, const int32_t *multipliers, const int8_t *shifts,
                    int16_t *output);

#ifdef __cplusplus
}
#endif

#endif
