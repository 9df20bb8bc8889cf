/* Depthwise convolution for cores with Helium.
 *
 * The same function as ps_depthwise_conv_2d_s8 (penstock/depthwise_conv_2d.h) with one filter for
 * each channel, under conditions that a compiler checks, with constants in the order in which they
 * are used:
 *
 * filters: for each block of 16 channels and each tap a byte of each channel.
 * scaling: for each block of 16 channels a ps_mve_scaling of channels 0, 4, 8, 12; of 2, 6, 10, 14;
 *   of 1, 5, 9, 13; of 3, 7, 11, 15.
 *
 * Fewer channels than 16 are repeated, again and again, to make a block. The last one of several
 * blocks is of the last 16 channels, whichever are in the block before it as well.
 */
#ifndef PENSTOCK_DEPTHWISE_CONV_2D_MVE_H
#define PENSTOCK_DEPTHWISE_CONV_2D_MVE_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Convolves int8.
 *
 * params: input_channels = output_channels, filter_offset is 0; multiplier_step, scratch_pixels are
 *   not used.
 * filters: of two taps one behind the other, not both are -128.
 * scratch: two addresses for each tap, then input_channels bytes.
 * output: must not overlap input.
 */
void ps_depthwise_conv_2d_mve_s8(const ps_conv_2d_params *params, const int8_t *input,
                                 const int8_t *filters, const int32_t *scaling,
                                 uintptr_t *scratch, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
