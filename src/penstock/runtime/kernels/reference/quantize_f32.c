/* Real values to quantized ones. */
#include <stdint.h>

#include "penstock/fixed_point.h"
#include "penstock/quantize.h"

/* Returns value / scale + zero_point to nearest, halves away from zero, limited to [low, high]. */
static int32_t quantize(const ps_quantize_params *params, float value, int32_t low, int32_t high) {
  const float steps = value / params->scale;
  const float steps_min = (float)(low - params->zero_point);
  const float steps_max = (float)(high - params->zero_point);
  int32_t whole;
  float rest;
  if (steps != steps) { /* NaN */
    return params->zero_point;
  }
  if (steps <= steps_min) {
    return low;
  }
  if (steps >= steps_max) {
    return high;
  }
  whole = (int32_t)steps; /* towards zero */
  rest = steps - (float)whole;
  if (rest >= 0.5F) {
    ++whole;
  } else if (rest <= -0.5F) {
    --whole;
  }
  return whole + params->zero_point;
}

void ps_quantize_f32_s8(const ps_quantize_params *params, const float *input, int8_t *output) {
  for (int32_t i = 0; i < params->count; ++i) {
    output[i] = (int8_t)quantize(params, input[i], INT8_MIN, INT8_MAX);
  }
}

void ps_quantize_f32_u8(const ps_quantize_params *params, const float *input, uint8_t *output) {
  for (int32_t i = 0; i < params->count; ++i) {
    output[i] = (uint8_t)quantize(params, input[i], 0, UINT8_MAX);
  }
}

void ps_quantize_f32_s16(const ps_quantize_params *params, const float *input, int16_t *output) {
  for (int32_t i = 0; i < params->count; ++i) {
    output[i] = (int16_t)quantize(params, input[i], INT16_MIN, INT16_MAX);
  }
}
