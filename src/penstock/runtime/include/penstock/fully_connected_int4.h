/* Fully connected layer with filters of four bits.
 *
 * The same function as ps_fully_connected_s8 (penstock/fully_connected.h), with filters within [-8, 7]
 * whose zero point is 0.
 */
#ifndef PENSTOCK_FULLY_CONNECTED_INT4_H
#define PENSTOCK_FULLY_CONNECTED_INT4_H

#include <stdint.h>

#include "penstock/fully_connected.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Multiplies int8.
 *
 * params: filter_offset is 0.
 * filters: of each output channel as penstock/nibbles.h says, in whole bytes.
 * bias, mantissas, exponents: as of ps_fully_connected_s8.
 * scratch: the filters of four channels as int8.
 * input: [batches, input_channels]; output: [batches, output_channels]; they must not overlap.
 */
void ps_fully_connected_int4_s8(const ps_fully_connected_params *params, const int8_t *input,
                                const uint8_t *filters, const int32_t *bias,
                                const int64_t *mantissas, const int16_t *exponents,
                                int8_t *scratch, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
