/* Products of four output channels with two pixels. Internal to the convolution kernels. */
#ifndef PENSTOCK_MULTIPLY_4X2_H
#define PENSTOCK_MULTIPLY_4X2_H

#include <stdint.h>

#include "penstock/conv_2d_dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ps_block_4x2 {
  const uint32_t *filters;       /* of each pair of taps, a word for each of four channels */
  const uint32_t *pixels;        /* of each two pixels and pair of taps, a word for each */
  const ps_dsp_scaling *scaling; /* of four channels */
  int8_t *output;                /* first pixel, first of the four channels */
  int32_t output_step;           /* elements from pixel to pixel */
  int32_t tap_pairs;             /* even, at least 2 */
  int32_t pixel_pairs;           /* at least 1 */
} ps_block_4x2;

/* Computes four channels of two pixels at a time. Reads up to 16 bytes behind filters and pixels,
 * whatever they are. */
void ps_multiply_4x2(const ps_block_4x2 *block);

#ifdef __cplusplus
}
#endif

#endif
