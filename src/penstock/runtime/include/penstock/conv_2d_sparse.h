/* Convolution with filters without their zeros.
 *
 * The same function as ps_conv_2d_s8 (penstock/conv_2d.h), of one group and with filters whose zero
 * point is 0.
 */
#ifndef PENSTOCK_CONV_2D_SPARSE_H
#define PENSTOCK_CONV_2D_SPARSE_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Convolves int8.
 *
 * params: groups is 1, filter_offset 0.
 * filters: as penstock/sparse_filters.h says, taps [filter_height, filter_width, filter_channels].
 * bias, multipliers, shifts: as of ps_conv_2d_s8.
 * scratch: a byte for each tap of a filter.
 * output: must not overlap input.
 */
void ps_conv_2d_sparse_s8(const ps_conv_2d_params *params, const int8_t *input,
                          const uint8_t *filters, const int32_t *bias, const int32_t *multipliers,
                          const int8_t *shifts, int8_t *scratch, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
