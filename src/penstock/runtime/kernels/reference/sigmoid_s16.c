/* Logistic function and hyperbolic tangent of int16, by linear interpolation in one table. */
#include "penstock/activation.h"

/* Position of an input in steps of 1 / 12288. */
static int32_t locate(const ps_sigmoid_params *params, int32_t value) {
  const uint32_t rounding = params->right_shift > 0 ? 1U << (params->right_shift - 1) : 0U;
  const uint32_t product = (uint32_t)value * (uint32_t)params->multiplier;
  return (int32_t)(product + rounding) >> params->right_shift;
}

/* sigmoid of a magnitude in table steps of 2^fraction_bits, in Q0.(16 + fraction_bits);
 * beyond the table: saturated. */
static uint32_t interpolate(const int32_t *table, uint32_t magnitude, uint32_t fraction_bits,
                            uint32_t saturated) {
  const uint32_t index = magnitude >> fraction_bits;
  const uint32_t fraction = magnitude & ((1U << fraction_bits) - 1U);
  if (index >= 255U) {
    return saturated;
  }
  return ((uint32_t)table[index] << fraction_bits) +
         fraction * ((uint32_t)table[index + 1U] - (uint32_t)table[index]);
}

static uint32_t magnitude_of(int32_t value) {
  return value < 0 ? 0U - (uint32_t)value : (uint32_t)value;
}

void ps_logistic_s16(const ps_sigmoid_params *params, const int16_t *input, const int32_t *table,
                     int16_t *output) {
  for (int32_t i = 0; i < params->count; ++i) {
    const int32_t position = locate(params, input[i]);
    const int32_t sigmoid = (int32_t)interpolate(table, magnitude_of(position), 9, 0x7FFFU << 10);
    const int32_t result = position >= 0 ? sigmoid + (1 << 9) : (1 << 25) - sigmoid + (1 << 9) - 1;
    output[i] = (int16_t)(result >> 10);
  }
}

void ps_tanh_s16(const ps_sigmoid_params *params, const int16_t *input, const int32_t *table,
                 int16_t *output) {
  for (int32_t i = 0; i < params->count; ++i) {
    const int32_t position = locate(params, input[i]);
    const int32_t sigmoid = (int32_t)interpolate(table, magnitude_of(position), 8, 0xFFFFU << 8);
    const int32_t result =
        position >= 0 ? sigmoid - (1 << 23) + (1 << 7) : (1 << 23) - sigmoid + (1 << 7) - 1;
    output[i] = (int16_t)(result >> 8);
  }
}
