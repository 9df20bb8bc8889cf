/* Functions of single int16 elements; those of 8 bits are tables (ps_table_u8).
 *
 * Elements are adjacent. output may be the same memory as input.
 */
#ifndef PENSTOCK_ACTIVATION_H
#define PENSTOCK_ACTIVATION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* clamp(output_offset + requantize(input + input_offset)), with the multiplier of its sign. */
typedef struct ps_leaky_relu_params {
  int32_t count;
  int32_t input_offset; /* minus the zero point */
  int32_t identity_multiplier;
  int32_t identity_shift;
  int32_t alpha_multiplier; /* (-2^31, 2^31): the slope of negative values */
  int32_t alpha_shift;
  int32_t output_offset; /* the zero point */
  int32_t output_min;
  int32_t output_max;
} ps_leaky_relu_params;

void ps_leaky_relu_s16(const ps_leaky_relu_params *params, const int16_t *input, int16_t *output);

typedef struct ps_sigmoid_params {
  int32_t count;
  int32_t multiplier;  /* input * multiplier / 2^right_shift is in steps of 1 / 12288 */
  int32_t right_shift; /* [0, 31] */
} ps_sigmoid_params;

/* 1 / (1 + exp(-x)) and tanh(x), zero points 0, output scale 1/32768.
 *
 * table: [256], 2^16 / (1 + exp(-i / 24)).
 */
void ps_logistic_s16(const ps_sigmoid_params *params, const int16_t *input, const int32_t *table,
                     int16_t *output);

void ps_tanh_s16(const ps_sigmoid_params *params, const int16_t *input, const int32_t *table,
                 int16_t *output);

#ifdef __cplusplus
}
#endif

#endif
