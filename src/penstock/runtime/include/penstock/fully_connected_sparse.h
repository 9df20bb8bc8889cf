/* Fully connected layer with filters without their zeros.
 *
 * The same function as ps_fully_connected_s8 (penstock/fully_connected.h), with filters whose zero point
 * is 0.
 */
#ifndef PENSTOCK_FULLY_CONNECTED_SPARSE_H
#define PENSTOCK_FULLY_CONNECTED_SPARSE_H

#include <stdint.h>

#include "penstock/fully_connected.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Multiplies int8.
 *
 * params: filter_offset is 0.
 * filters: as penstock/sparse_filters.h says, a tap for each input channel.
 * bias, mantissas, exponents: as of ps_fully_connected_s8.
 * input: [batches, input_channels]; output: [batches, output_channels]; they must not overlap.
 */
void ps_fully_connected_sparse_s8(const ps_fully_connected_params *params, const int8_t *input,
                                  const uint8_t *filters, const int32_t *bias,
                                  const int64_t *mantissas, const int16_t *exponents,
                                  int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
