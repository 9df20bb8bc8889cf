/* Convolution for cores that multiply two pairs of int16 in one instruction.
 *
 * The same function as ps_conv_2d_s8 (penstock/conv_2d.h), under conditions that a compiler checks,
 * with constants in the order in which they are used:
 *
 * filters: for each block of four output channels and each pair of taps, eight int8: the pair of
 *   channel 0 and 1, then of channel 2 and 3, as c0k0 c1k0 c0k1 c1k1. Taps are in the order of
 *   memory, but the last filter_width * filter_channels % 4 of each row come behind all others, and
 *   then in each four the second and third change places; their number is rounded up to a multiple
 *   of four and the channels to a multiple of four, with filters that add nothing.
 * scaling: a ps_dsp_scaling of each output channel.
 */
#ifndef PENSTOCK_CONV_2D_DSP_H
#define PENSTOCK_CONV_2D_DSP_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Four int32 that say how a sum becomes an output:
 *   x = sum * multiplier / 2^31 to nearest, halves up; |sum| < 2^30
 *   (x - (x < 0) + rounding) >> shift, limited to int8
 */
typedef struct ps_dsp_scaling {
  int32_t bias; /* with what the zero points contribute */
  int32_t multiplier;
  int32_t rounding; /* 2^(shift - 1) + output_offset * 2^shift */
  int32_t shift;    /* [1, 22] */
} ps_dsp_scaling;

/* Convolves int8.
 *
 * filters: their address is a multiple of 4.
 * params: groups is 1; multiplier_step is not used; scratch_pixels is even.
 * scratch: 4 * P words for filters, P * scratch_pixels for pixels, 4, then room for either
 *   scratch_pixels words of outputs or P / 2 + filter_height + 2 words;
 *   P = the pairs of taps, rounded up to an even number.
 * output: must not overlap input.
 */
void ps_conv_2d_dsp_s8(const ps_conv_2d_params *params, const int8_t *input, const int8_t *filters,
                       const int32_t *scaling, uint32_t *scratch, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
