/* Brings what output pixels see of an image in the order of the convolution. Internal to
 * ps_conv_2d_dsp_s8. */
#ifndef PENSTOCK_WIDEN_PIXELS_H
#define PENSTOCK_WIDEN_PIXELS_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Widens the taps of output pixels that follow one another, row by row, from (x, y) on.
 *
 * words: scratch of ps_conv_2d_dsp_s8 behind the filters; a pair of taps of two pixels is two words.
 */
void ps_widen_pixels(const ps_conv_2d_params *params, const int8_t *input, int32_t y, int32_t x,
                     int32_t count, uint32_t *words);

#ifdef __cplusplus
}
#endif

#endif
