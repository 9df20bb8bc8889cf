/* Quantized values to real ones. */
#include "penstock/quantize.h"

/* Differences have at most 17 bits, so that the product is rounded only once. */

void ps_dequantize_s8_f32(const ps_quantize_params *params, const int8_t *input, float *output) {
  for (int32_t i = 0; i < params->count; ++i) {
    output[i] = params->scale * (float)(input[i] - params->zero_point);
  }
}

void ps_dequantize_u8_f32(const ps_quantize_params *params, const uint8_t *input, float *output) {
  for (int32_t i = 0; i < params->count; ++i) {
    output[i] = params->scale * (float)(input[i] - params->zero_point);
  }
}

void ps_dequantize_s16_f32(const ps_quantize_params *params, const int16_t *input, float *output) {
  for (int32_t i = 0; i < params->count; ++i) {
    output[i] = params->scale * (float)(input[i] - params->zero_point);
  }
}
