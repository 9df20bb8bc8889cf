/* Convolution with filters of four bits.
 *
 * The same function as ps_conv_2d_s8 (penstock/conv_2d.h), of one group and with filters within [-8, 7]
 * whose zero point is 0.
 */
#ifndef PENSTOCK_CONV_2D_INT4_H
#define PENSTOCK_CONV_2D_INT4_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Convolves int8.
 *
 * params: groups is 1, filter_offset 0.
 * filters: of each output channel as penstock/nibbles.h says, in whole bytes.
 * bias, multipliers, shifts: as of ps_conv_2d_s8.
 * scratch: the filters of four channels as int8.
 * output: must not overlap input.
 */
void ps_conv_2d_int4_s8(const ps_conv_2d_params *params, const int8_t *input,
                        const uint8_t *filters, const int32_t *bias, const int32_t *multipliers,
                        const int8_t *shifts, int8_t *scratch, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
