/* Fully connected layer for cores with Helium.
 *
 * The same function as ps_fully_connected_s8 (penstock/fully_connected.h), under conditions that a
 * compiler checks, with constants in the order in which they are used:
 *
 * filters: as of ps_conv_2d_mve_s8 (penstock/conv_2d_mve.h), a tap for each input channel.
 * scaling: as of ps_fully_connected_dsp_s8 (penstock/fully_connected_dsp.h).
 */
#ifndef PENSTOCK_FULLY_CONNECTED_MVE_H
#define PENSTOCK_FULLY_CONNECTED_MVE_H

#include <stdint.h>

#include "penstock/fully_connected.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Multiplies int8.
 *
 * params: filter_offset is 0; factor_step is not used.
 * input: [batches, input_channels]; output: [batches, output_channels]; they must not overlap.
 */
void ps_fully_connected_mve_s8(const ps_fully_connected_params *params, const int8_t *input,
                               const int8_t *filters, const int32_t *scaling, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
