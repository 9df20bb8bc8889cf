/* Operators on two tensors, element by element with broadcasting.
 *
 * Extents are those of the output; a broadcast operand has stride 0 where it repeats. The output
 * may be the same memory as an operand that does not repeat and has the output's strides; otherwise
 * it must not overlap.
 */
#ifndef PENSTOCK_ELEMENTWISE_H
#define PENSTOCK_ELEMENTWISE_H

#include <stdint.h>

#include "penstock/iteration.h"

#ifdef __cplusplus
extern "C" {
#endif

/* clamp(output_offset + requantize_output(requantize_left((left + left_offset) * 2^headroom_shift)
 *     + right_sign * requantize_right((right + right_offset) * 2^headroom_shift)))
 */
typedef struct ps_add_params {
  int32_t extents[PS_RANK_MAX];
  int32_t left_strides[PS_RANK_MAX];
  int32_t right_strides[PS_RANK_MAX];
  int32_t output_strides[PS_RANK_MAX];
  int32_t right_sign;     /* 1: sum; -1: difference */
  int32_t headroom_shift; /* 20 for int8, 15 for int16 */
  int32_t left_offset;    /* minus the zero point */
  int32_t left_multiplier;
  int32_t left_shift;
  int32_t right_offset; /* minus the zero point */
  int32_t right_multiplier;
  int32_t right_shift;
  int32_t output_offset; /* the zero point */
  int32_t output_multiplier;
  int32_t output_shift;
  int32_t activation_min;
  int32_t activation_max;
} ps_add_params;

void ps_add_s8(const ps_add_params *params, const int8_t *left, const int8_t *right,
               int8_t *output);

void ps_add_s16(const ps_add_params *params, const int16_t *left, const int16_t *right,
                int16_t *output);

/* clamp(left / 2^left_right_shift + right_sign * right / 2^right_right_shift), each quotient to
 * nearest; the sign is applied before the division. */
typedef struct ps_add_shift_params {
  int32_t extents[PS_RANK_MAX];
  int32_t left_strides[PS_RANK_MAX];
  int32_t right_strides[PS_RANK_MAX];
  int32_t output_strides[PS_RANK_MAX];
  int32_t right_sign;        /* 1: sum; -1: difference */
  int32_t left_right_shift;  /* [0, 31] */
  int32_t right_right_shift; /* [0, 31] */
  int32_t activation_min;
  int32_t activation_max;
} ps_add_shift_params;

/* int16 whose scales are powers of two. */
void ps_add_shift_s16(const ps_add_shift_params *params, const int16_t *left, const int16_t *right,
                      int16_t *output);

/* clamp(output_offset + requantize((left + left_offset) * (right + right_offset))) */
typedef struct ps_mul_params {
  int32_t extents[PS_RANK_MAX];
  int32_t left_strides[PS_RANK_MAX];
  int32_t right_strides[PS_RANK_MAX];
  int32_t output_strides[PS_RANK_MAX];
  int32_t left_offset;   /* minus the zero point; int16: 0 */
  int32_t right_offset;  /* minus the zero point; int16: 0 */
  int32_t output_offset; /* the zero point */
  int32_t output_multiplier;
  int32_t output_shift;
  int32_t activation_min;
  int32_t activation_max;
} ps_mul_params;

void ps_mul_s8(const ps_mul_params *params, const int8_t *left, const int8_t *right,
               int8_t *output);

void ps_mul_s16(const ps_mul_params *params, const int16_t *left, const int16_t *right,
                int16_t *output);

/* The larger or smaller of two elements with the same quantization. */
typedef struct ps_extremum_params {
  int32_t extents[PS_RANK_MAX];
  int32_t left_strides[PS_RANK_MAX];
  int32_t right_strides[PS_RANK_MAX];
  int32_t output_strides[PS_RANK_MAX];
} ps_extremum_params;

void ps_maximum_s8(const ps_extremum_params *params, const int8_t *left, const int8_t *right,
                   int8_t *output);

void ps_maximum_s16(const ps_extremum_params *params, const int16_t *left, const int16_t *right,
                    int16_t *output);

void ps_minimum_s8(const ps_extremum_params *params, const int8_t *left, const int8_t *right,
                   int8_t *output);

void ps_minimum_s16(const ps_extremum_params *params, const int16_t *left, const int16_t *right,
                    int16_t *output);

#ifdef __cplusplus
}
#endif

#endif
