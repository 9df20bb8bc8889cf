/* Convolution with filters without their zeros, for cores that have the DSP extension.
 *
 * The same function as ps_conv_2d_s8 (penstock/conv_2d.h), under conditions that a compiler checks: one
 * group, filters whose zero point is 0, and what ps_dsp_scaling says. Eight output pixels at a time; each
 * weight is multiplied with what all of them see.
 */
#ifndef PENSTOCK_CONV_2D_SPARSE_DSP_H
#define PENSTOCK_CONV_2D_SPARSE_DSP_H

#include <stdint.h>

#include "penstock/conv_2d_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Convolves int8.
 *
 * params: groups is 1, filter_offset 0; scratch_pixels 8; multiplier_step is not used.
 * filters: as penstock/sparse_filters.h says, taps [filter_height, filter_width, filter_channels].
 * scaling: a ps_dsp_scaling of each output channel.
 * scratch: 16 bytes for each tap of a filter, their number rounded up to a multiple of four; then, if a
 *   call computes pixels that are no multiple of eight, eight bytes for each output channel, and, if a
 *   pixel sees more than one of the input or padding, no less than eight for each of these taps.
 * output: must not overlap input.
 */
void ps_conv_2d_sparse_dsp_s8(const ps_conv_2d_params *params, const int8_t *input,
                              const uint8_t *filters, const int32_t *scaling, uint32_t *scratch,
                              int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
