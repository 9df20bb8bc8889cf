/* Fully connected layer with filters without their zeros, for cores that have the DSP extension.
 *
 * The same function as ps_fully_connected_s8 (penstock/fully_connected.h), under conditions that a
 * compiler checks: filters whose zero point is 0, and sums and scales as of ps_fully_connected_dsp_s8.
 */
#ifndef PENSTOCK_FULLY_CONNECTED_SPARSE_DSP_H
#define PENSTOCK_FULLY_CONNECTED_SPARSE_DSP_H

#include <stdint.h>

#include "penstock/fully_connected.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Multiplies int8.
 *
 * params: filter_offset is 0; factor_step is not used.
 * filters: as penstock/sparse_filters.h says, a tap for each input channel.
 * scaling: of each output channel four int32, as of ps_fully_connected_dsp_s8
 *   (penstock/fully_connected_dsp.h).
 * input: [batches, input_channels]; output: [batches, output_channels]; they must not overlap.
 */
void ps_fully_connected_sparse_dsp_s8(const ps_fully_connected_params *params, const int8_t *input,
                                      const uint8_t *filters, const int32_t *scaling,
                                      int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
