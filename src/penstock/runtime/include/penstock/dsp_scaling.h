/* How kernels with the DSP extension make an output of a sum. Internal to them. */
#ifndef PENSTOCK_DSP_SCALING_H
#define PENSTOCK_DSP_SCALING_H

#include "penstock/conv_2d_dsp.h"
#include "penstock/dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns value limited to int8. */
static inline int32_t ps_limit_to_s8(int32_t value) {
#if PS_HAS_DSP
  int32_t result;
  __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value));
  return result;
#else
  return value < -128 ? -128 : value > 127 ? 127 : value;
#endif
}

/* Returns what ps_dsp_scaling says of a sum, given twice that. */
static inline int8_t ps_scale_doubled(const ps_dsp_scaling *scaling, int32_t doubled) {
  const int32_t scaled = ps_multiply_upper(doubled, scaling->multiplier);
  const int32_t rounded = scaled + (scaled >> 31) + scaling->rounding;
  return (int8_t)ps_limit_to_s8(rounded >> scaling->shift);
}

/* Returns what ps_dsp_scaling says of a sum. */
static inline int8_t ps_scale_sum(const ps_dsp_scaling *scaling, int32_t sum) {
  return ps_scale_doubled(scaling, 2 * sum);
}

/* Limits all channels of an output pixel to the range of the activation. */
static inline void ps_limit_pixel(const ps_conv_2d_params *params, int8_t *pixel) {
  const int32_t least = params->activation_min;
  const int32_t most = params->activation_max;
  const uint32_t all_least = (uint8_t)least * 0x01010101U;
  const uint32_t all_most = (uint8_t)most * 0x01010101U;
  int32_t channels = params->output_channels;
  for (; channels >= 4; channels -= 4) {
    const uint32_t word = ps_larger_bytes(ps_load_word(pixel), all_least);
    ps_store_word(pixel, ps_smaller_bytes(word, all_most));
    pixel += 4;
  }
  for (; channels > 0; --channels) {
    const int32_t value = *pixel;
    *pixel++ = (int8_t)(value < least ? least : value > most ? most : value);
  }
}

#ifdef __cplusplus
}
#endif

#endif
