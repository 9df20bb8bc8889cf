/* Products of four output channels with one pixel. Internal to ps_conv_2d_dsp_s8. */
#ifndef PENSTOCK_MULTIPLY_4X1_H
#define PENSTOCK_MULTIPLY_4X1_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Adds to sums[0 .. 3] the products of four channels' filters with as many pairs of values.
 *
 * values: a word for each two; filters: eight bytes for each word, in the order of
 * penstock/conv_2d_dsp.h, and their address a multiple of 4; pairs: even, at least 2.
 */
void ps_multiply_4x1(const uint32_t *values, const int8_t *filters, int32_t pairs, int32_t *sums);

#ifdef __cplusplus
}
#endif

#endif
