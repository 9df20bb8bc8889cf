/* Transposed convolution.
 *
 * Input row y and filter row ky add to output row y * stride_height + ky - padding_top, columns
 * alike; otherwise as penstock/conv_2d.h, with groups = dilation_height = dilation_width = 1.
 */
#ifndef PENSTOCK_TRANSPOSE_CONV_2D_H
#define PENSTOCK_TRANSPOSE_CONV_2D_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Convolves int8.
 *
 * filters: [output_channels, filter_height, filter_width, filter_channels], dense, where
 *     filter_channels = input_channels.
 * bias: [output_channels], or NULL for zeros.
 * multipliers, shifts: [output_channels] or [1]; see multiplier_step.
 * output: must not overlap input.
 */
void ps_transpose_conv_2d_s8(const ps_conv_2d_params *params, const int8_t *input,
                             const int8_t *filters, const int32_t *bias, const int32_t *multipliers,
                             const int8_t *shifts, int8_t *output);

/* Convolves int16 activations with int8 filters, under the conditions of ps_conv_2d_s16. */
void ps_transpose_conv_2d_s16(const ps_conv_2d_params *params, const int16_t *input,
                              const int8_t *filters, const int64_t *bias,
                              const int32_t *multipliers, const int8_t *shifts, int16_t *output);

#ifdef __cplusplus
}
#endif

#endif
