/* Convolution with filters of 3x3 and strides of 1 by exact integer Winograd F(2x2, 3x3), for cores
 * that multiply two pairs of int16 in one instruction.
 *
 * Four outputs take 16 products of a channel instead of 36 (Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", 2016). The transform of the filters is doubled in both directions,
 * so that all of it is integers; sums come out four times as large, and exact modulo 2^32.
 *
 * filters: [blocks, 16, P, 4, 2] int16: of each block of four output channels and position of the
 *   transformed patch, row by row, and of each pair of input channels, two of each filter. Pairs are
 *   channels 4k and 4k + 2, then 4k + 1 and 4k + 3; P = input_channels / 2. Filters that are missing
 *   in the last block are 0.
 * scaling: a ps_dsp_scaling of each output channel (penstock/conv_2d_dsp.h), but |sum| < 2^29: four
 *   times that is held in 32 bits.
 */
#ifndef PENSTOCK_CONV_2D_WINOGRAD_2X2_H
#define PENSTOCK_CONV_2D_WINOGRAD_2X2_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PS_WINOGRAD_SKEW = 9 }; /* words between positions: else all might share a set of a cache */

/* Convolves int8.
 *
 * filters: their address is a multiple of 4.
 * params: groups, strides and dilations are 1, filters are 3x3, input_channels a multiple of 4;
 *   filter_offset and multiplier_step are not used; scratch_pixels says how many patches of 2x2
 *   outputs are computed together, an even number.
 * scratch: of N = scratch_pixels patches, 4 * P + 4 words for filters, 16 * (P * N + PS_WINOGRAD_SKEW) for
 *   patches, 4, then 64 * N or 8 * P, whichever is more.
 * output: must not overlap input.
 */
void ps_conv_2d_winograd_2x2_dsp_s8(const ps_conv_2d_params *params, const int8_t *input,
                                const int16_t *filters, const int32_t *scaling, uint32_t *scratch,
                                int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
