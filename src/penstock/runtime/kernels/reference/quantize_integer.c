/* Between quantized integers of different types or quantizations. */
#include "penstock/fixed_point.h"
#include "penstock/quantize.h"

static int32_t rescale(const ps_rescale_params *params, int32_t value) {
  const int32_t centered = ps_add_wrapping(value, params->input_offset);
  return ps_offset_and_clamp(ps_requantize(centered, params->multiplier, params->shift),
                             params->output_offset, params->output_min, params->output_max);
}

/* Defines a kernel from one type to another. */
#define DEFINE_QUANTIZE(NAME, FROM, TO)                                       \
  void NAME(const ps_rescale_params *params, const FROM *input, TO *output) { \
    for (int32_t i = 0; i < params->count; ++i) {                             \
      output[i] = (TO)rescale(params, input[i]);                              \
    }                                                                         \
  }

DEFINE_QUANTIZE(ps_quantize_s8_s16, int8_t, int16_t)
DEFINE_QUANTIZE(ps_quantize_s8_s32, int8_t, int32_t)
DEFINE_QUANTIZE(ps_quantize_s16_s8, int16_t, int8_t)
DEFINE_QUANTIZE(ps_quantize_s16_s16, int16_t, int16_t)
DEFINE_QUANTIZE(ps_quantize_s16_s32, int16_t, int32_t)
DEFINE_QUANTIZE(ps_quantize_s32_s8, int32_t, int8_t)
DEFINE_QUANTIZE(ps_quantize_s32_s16, int32_t, int16_t)
