/* Average and maximum pooling of four channels at a time, for cores that work on four int8 or two int16
 * in one instruction.
 *
 * As in penstock/pool_2d.h, but channels are a multiple of four, and windows that are averaged have at
 * most 255 elements: sums are held in 16 bits.
 */
#ifndef PENSTOCK_POOL_2D_DSP_H
#define PENSTOCK_POOL_2D_DSP_H

#include <stdint.h>

#include "penstock/pool_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Averages, to nearest with halves away from zero. output must not overlap input. */
void ps_average_pool_2d_dsp_s8(const ps_pool_2d_params *params, const int8_t *input,
                               int8_t *output);

/* Maxima. output must not overlap input. */
void ps_max_pool_2d_dsp_s8(const ps_pool_2d_params *params, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
