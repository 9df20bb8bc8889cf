/* Depthwise convolution for cores that multiply two pairs of int16 in one instruction.
 *
 * The same function as ps_depthwise_conv_2d_s8 (penstock/depthwise_conv_2d.h) under conditions that a
 * compiler checks, with constants in the order in which they are used:
 *
 * filters: [channels, filter_height, W] words of four int8, W = filter_width / 2 + 1. Word i has
 *   taps 2i, 2i - 1, 2i + 1, 2i of the row; a tap that does not exist adds nothing.
 * scaling: a ps_dsp_scaling of each channel (penstock/conv_2d_dsp.h).
 *
 * Rows and columns may be exchanged in params, with transposed filters: outputs of a row are computed
 * four at a time, so that long rows are the better ones.
 */
#ifndef PENSTOCK_DEPTHWISE_CONV_2D_DSP_H
#define PENSTOCK_DEPTHWISE_CONV_2D_DSP_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  PS_DEPTHWISE_ROWS = 16,     /* that are widened together at most, and of a filter at most */
  PS_DEPTHWISE_WORDS_MAX = 64 /* of a filter: filter_height * W at most */
};

/* Convolves int8.
 *
 * params: output_channels is a multiple of input_channels, each of which has so many filters in a
 *   row; dilations of 1; multiplier_step, scratch_pixels are not used.
 * scratch: 4 * PS_DEPTHWISE_ROWS words for each two columns that a row of outputs sees, and two
 *   more columns.
 * output: must not overlap input.
 */
void ps_depthwise_conv_2d_dsp_s8(const ps_conv_2d_params *params, const int8_t *input,
                                 const int8_t *filters, const int32_t *scaling, uint32_t *scratch,
                                 int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
