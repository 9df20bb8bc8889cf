/* Sum of two tensors for cores that multiply 32 bits by 32 bits in one instruction.
 *
 * The same function as ps_add_s8 (penstock/elementwise.h) where one operand, the left one here, has
 * the larger scale and so the factor 1/2, and the other factors are below 1/2.
 */
#ifndef PENSTOCK_ADD_DSP_H
#define PENSTOCK_ADD_DSP_H

#include <stdint.h>

#include "penstock/iteration.h"

#ifdef __cplusplus
extern "C" {
#endif

/* With round(x, shift) = x / 2^shift to nearest, halves away from zero, and scale(x, multiplier) =
 * x * multiplier / 2^32 to nearest, halves up:
 *   sum = left * 2^20 + left_start
 *       + 2 * round(scale(right * 2^21 + right_start, right_multiplier), right_shift)
 *   limit(round(scale(sum, output_multiplier), output_shift) + output_offset)
 */
typedef struct ps_add_dsp_params {
  int32_t extents[PS_RANK_MAX];
  int32_t left_strides[PS_RANK_MAX];
  int32_t right_strides[PS_RANK_MAX];
  int32_t output_strides[PS_RANK_MAX];
  int32_t left_start;
  int32_t right_start;
  int32_t right_multiplier;
  int32_t right_rounding; /* 2^(right_shift - 1) */
  int32_t right_shift;    /* 0: both factors are 1/2, and the three fields before are not used */
  int32_t output_multiplier;
  int32_t output_rounding; /* 2^(output_shift - 1) + output_offset * 2^output_shift */
  int32_t output_shift;    /* [1, 22] */
  int32_t activation_min;
  int32_t activation_max;
} ps_add_dsp_params;

/* Adds int8; extents, strides and overlaps as in penstock/elementwise.h. */
void ps_add_dsp_s8(const ps_add_dsp_params *params, const int8_t *left, const int8_t *right,
                   int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
