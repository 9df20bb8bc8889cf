/* Average over any axes, requantized. */
#ifndef PENSTOCK_MEAN_H
#define PENSTOCK_MEAN_H

#include <stdint.h>

#include "penstock/iteration.h"

#ifdef __cplusplus
extern "C" {
#endif

/* clamp(output_offset + requantize(sum + sum_offset)) for each kept element. */
typedef struct ps_mean_params {
  int32_t kept_extents[PS_RANK_MAX]; /* in the order of the output, which is dense */
  int32_t kept_strides[PS_RANK_MAX]; /* of the input, in elements */
  int32_t reduced_extents[PS_RANK_MAX];
  int32_t reduced_strides[PS_RANK_MAX];
  int32_t sum_offset;    /* minus the input's zero point, times the number of reduced elements */
  int32_t multiplier;    /* [0, 2^31); the number of elements is folded in */
  int32_t shift;         /* [-31, 30] */
  int32_t output_offset; /* the zero point */
  int32_t output_min;
  int32_t output_max;
} ps_mean_params;

void ps_mean_s8(const ps_mean_params *params, const int8_t *input, int8_t *output);

void ps_mean_s16(const ps_mean_params *params, const int16_t *input, int16_t *output);

#ifdef __cplusplus
}
#endif

#endif
