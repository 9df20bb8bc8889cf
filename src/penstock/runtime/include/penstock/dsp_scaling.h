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

/* Returns what ps_dsp_scaling says of a sum. */
static inline int8_t ps_scale_sum(const ps_dsp_scaling *scaling, int32_t sum) {
  const int32_t scaled = ps_multiply_upper(2 * sum, scaling->multiplier);
  const int32_t rounded = scaled + (scaled >> 31) + scaling->rounding;
  return (int8_t)ps_limit_to_s8(rounded >> scaling->shift);
}

#ifdef __cplusplus
}
#endif

#endif
