/* Convolution for cores with Helium.
 *
 * The same function as ps_conv_2d_s8 (penstock/conv_2d.h), under conditions that a compiler checks,
 * with constants in the order in which they are used:
 *
 * filters: for each block of four output channels and each 16 taps, the taps of channel 0, 1, 2, 3;
 *   channels and taps that do not exist are 0.
 * scaling: for each block of four output channels a ps_mve_scaling.
 */
#ifndef PENSTOCK_CONV_2D_MVE_H
#define PENSTOCK_CONV_2D_MVE_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Convolves int8.
 *
 * params: groups is 1, filter_offset 0; multiplier_step, scratch_pixels are not used.
 * scratch: a byte for each tap of a filter.
 * output: must not overlap input.
 */
void ps_conv_2d_mve_s8(const ps_conv_2d_params *params, const int8_t *input, const int8_t *filters,
                       const int32_t *scaling, int8_t *scratch, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
