/* Fully connected layer for cores that multiply two pairs of int16 in one instruction.
 *
 * The same function as ps_fully_connected_s8 (penstock/fully_connected.h), under conditions that a
 * compiler checks, with constants in the order in which they are used:
 *
 * filters: as of ps_conv_2d_dsp_s8 (penstock/conv_2d_dsp.h), a tap for each input channel; to those of
 *   channels 0 and 2 of each block 128 is added (a word is two half-words of u + 256 * c, and what is
 *   multiplied as a whole needs no unpacking). Magnitudes of the filters of channels 1 and 3 are below
 *   2^16 in sum.
 * scaling: of each output channel four int32: a multiplier, a shift, and the lower and upper half of
 *   what the product begins with: the bias, what the zero points contribute, and rounding. An output
 *   is ((sum * multiplier + start) >> 32) >> shift, limited to its range; |sum| < 2^30.
 */
#ifndef PENSTOCK_FULLY_CONNECTED_DSP_H
#define PENSTOCK_FULLY_CONNECTED_DSP_H

#include <stdint.h>

#include "penstock/fully_connected.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Multiplies int8.
 *
 * params: filter_offset is 0; factor_step is not used.
 * filters: their address is a multiple of 4.
 * scratch: a word for each two input channels, rounded up to an even number.
 * input: [batches, input_channels]; output: [batches, output_channels]; they must not overlap.
 */
void ps_fully_connected_dsp_s8(const ps_fully_connected_params *params, const int8_t *input,
                               const int8_t *filters, const int32_t *scaling, uint32_t *scratch,
                               int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
