/* Convolution with filters of four bits, for cores that have the DSP extension.
 *
 * The same function as ps_conv_2d_dsp_s8 (penstock/conv_2d_dsp.h), with filters within [-8, 7], of
 * at most 4096 taps:
 *
 * filters: of those of ps_conv_2d_dsp_s8, with 8 added to each, the eight bytes of each pair of taps are
 *   four: in the lower halves the first four of them, in the upper halves the others.
 */
#ifndef PENSTOCK_CONV_2D_INT4_DSP_H
#define PENSTOCK_CONV_2D_INT4_DSP_H

#include <stdint.h>

#include "penstock/conv_2d_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Convolves int8. Arguments are those of ps_conv_2d_dsp_s8. */
void ps_conv_2d_int4_dsp_s8(const ps_conv_2d_params *params, const int8_t *input,
                            const uint8_t *filters, const int32_t *scaling, uint32_t *scratch,
                            int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
