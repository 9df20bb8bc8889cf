/* Convolution with filters of 3x3 and strides of 1 by exact integer Winograd F(4x4, 3x3), for cores
 * that multiply two pairs of int16 in one instruction.
 *
 * Sixteen outputs take 36 products of a channel instead of 144 (Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", 2016), with the points 0, 1, -1, 2 and -2. Rows of the filters'
 * transform are multiplied by 24, 24, 24, 24, 24 and 12, of which the transform of sums makes up for
 * the last: all of it is integers, and sums come out 576 times as large. Modulo 2^32 a ninth of that
 * is exact, and 64 times the sum tells all sums below 2^25 from one another.
 *
 * filters: [blocks, 36, P + 1, 4, 2] int16, as in penstock/conv_2d_winograd_2x2.h, but before those of each
 *   position stands what its sums begin with, int32 of each of four filters: -12750 times the sum of
 *   the first of each pair, because the transform of patches adds as much to the first of each two
 *   channels.
 * scaling: a ps_dsp_scaling of each output channel (penstock/conv_2d_dsp.h) for inputs that count from
 *   -128 on. The sum of products of these alone is below 2^25, and |sum| < 2^29.
 */
#ifndef PENSTOCK_CONV_2D_WINOGRAD_4X4_H
#define PENSTOCK_CONV_2D_WINOGRAD_4X4_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Convolves int8.
 *
 * filters: their address is a multiple of 4.
 * params: as for ps_conv_2d_winograd_2x2_dsp_s8, but scratch_pixels are patches of 4x4 outputs.
 * scratch: of N = scratch_pixels patches, 4 * P + 4 words for filters, 36 * (P * N + PS_WINOGRAD_SKEW)
 *   for patches, 4, then 144 * N or 18 * P, whichever is more.
 * output: must not overlap input.
 */
void ps_conv_2d_winograd_4x4_dsp_s8(const ps_conv_2d_params *params, const int8_t *input,
                                    const int16_t *filters, const int32_t *scaling,
                                    uint32_t *scratch, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
