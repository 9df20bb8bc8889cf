/* Fully connected layer with filters of four bits, for cores that have the DSP extension.
 *
 * The same function as ps_fully_connected_s8 (penstock/fully_connected.h), under conditions that a
 * compiler checks: filters within [-8, 7] whose zero point is 0, at most 4096 input channels, and sums and
 * scales as of ps_fully_connected_dsp_s8.
 *
 * filters: as of ps_conv_2d_int4_dsp_s8 (penstock/conv_2d_int4_dsp.h), a tap for each input channel.
 */
#ifndef PENSTOCK_FULLY_CONNECTED_INT4_DSP_H
#define PENSTOCK_FULLY_CONNECTED_INT4_DSP_H

#include <stdint.h>

#include "penstock/fully_connected.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Multiplies int8.
 *
 * params: filter_offset is 0; factor_step is not used.
 * filters: their address is a multiple of 4.
 * scaling, scratch: as of ps_fully_connected_dsp_s8 (penstock/fully_connected_dsp.h).
 * input: [batches, input_channels]; output: [batches, output_channels]; they must not overlap.
 */
void ps_fully_connected_int4_dsp_s8(const ps_fully_connected_params *params, const int8_t *input,
                                    const uint8_t *filters, const int32_t *scaling,
                                    uint32_t *scratch, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
