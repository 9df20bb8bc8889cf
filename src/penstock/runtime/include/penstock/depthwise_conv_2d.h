/* Depthwise convolution: each input channel has output_channels / input_channels own filters.
 *
 *   output[n, y, x, c] = clamp(output_offset + requantize(bias[c] +
 *       sum over ky, kx of (input[n, iy, ix, c / m] + input_offset) *
 *                          (filters[ky, kx, c] + filter_offset)))
 *   m = output_channels / input_channels
 *
 * iy, ix and requantize() as in penstock/conv_2d.h. In the parameters groups = input_channels and
 * filter_channels = output_channels.
 */
#ifndef PENSTOCK_DEPTHWISE_CONV_2D_H
#define PENSTOCK_DEPTHWISE_CONV_2D_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Convolves int8.
 *
 * filters: [filter_height, filter_width, output_channels], dense.
 * bias: [output_channels], or NULL for zeros.
 * multipliers, shifts: [output_channels] or [1]; see multiplier_step.
 * output: must not overlap input.
 */
void ps_depthwise_conv_2d_s8(const ps_conv_2d_params *params, const int8_t *input,
                             const int8_t *filters, const int32_t *bias, const int32_t *multipliers,
                             const int8_t *shifts, int8_t *output);

/* Convolves int16 activations with int8 filters, under the conditions of ps_conv_2d_s16. */
void ps_depthwise_conv_2d_s16(const ps_conv_2d_params *params, const int16_t *input,
                              const int8_t *filters, const int64_t *bias,
                              const int32_t *multipliers, const int8_t *shifts, int16_t *output);

#ifdef __cplusplus
}
#endif

#endif
