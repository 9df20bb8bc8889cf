/* Between real and quantized values, and between integer types. Elements are adjacent.
 *
 * From 8 to 8 bits a table does (ps_table_u8).
 */
#ifndef PENSTOCK_QUANTIZE_H
#define PENSTOCK_QUANTIZE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ps_quantize_params {
  int32_t count;
  int32_t zero_point;
  float scale; /* > 0 */
} ps_quantize_params;

/* zero_point + input / scale to nearest, halves away from zero, saturated; NaN becomes zero_point.
 * output may be the same memory as input. */
void ps_quantize_f32_s8(const ps_quantize_params *params, const float *input, int8_t *output);

void ps_quantize_f32_u8(const ps_quantize_params *params, const float *input, uint8_t *output);

void ps_quantize_f32_s16(const ps_quantize_params *params, const float *input, int16_t *output);

/* scale * (input - zero_point). They must not overlap. */
void ps_dequantize_s8_f32(const ps_quantize_params *params, const int8_t *input, float *output);

void ps_dequantize_u8_f32(const ps_quantize_params *params, const uint8_t *input, float *output);

void ps_dequantize_s16_f32(const ps_quantize_params *params, const int16_t *input, float *output);

/* clamp(output_offset + requantize(input + input_offset)) */
typedef struct ps_rescale_params {
  int32_t count;
  int32_t input_offset; /* minus the input's zero point */
  int32_t multiplier;
  int32_t shift;
  int32_t output_offset; /* the output's zero point; 0 for int32 */
  int32_t output_min;
  int32_t output_max;
} ps_rescale_params;

/* output may be the same memory as input where it is not the wider type. */
void ps_quantize_s8_s16(const ps_rescale_params *params, const int8_t *input, int16_t *output);

void ps_quantize_s8_s32(const ps_rescale_params *params, const int8_t *input, int32_t *output);

void ps_quantize_s16_s8(const ps_rescale_params *params, const int16_t *input, int8_t *output);

void ps_quantize_s16_s16(const ps_rescale_params *params, const int16_t *input, int16_t *output);

void ps_quantize_s16_s32(const ps_rescale_params *params, const int16_t *input, int32_t *output);

void ps_quantize_s32_s8(const ps_rescale_params *params, const int32_t *input, int8_t *output);

void ps_quantize_s32_s16(const ps_rescale_params *params, const int32_t *input, int16_t *output);

#ifdef __cplusplus
}
#endif

#endif
