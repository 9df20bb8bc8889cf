/* Average of int16 over any axes. */
#include "penstock/fixed_point.h"
#include "penstock/mean.h"

/* Sum of the reduced elements, modulo 2^32. */
static uint32_t sum_reduced(const ps_mean_params *params, const int16_t *input) {
  int32_t index[PS_RUN] = {0};
  uint32_t sum = 0;
  do {
    const int16_t *value = input + ps_run_offset(params->reduced_strides, index);
    for (int32_t i = params->reduced_extents[PS_RUN]; i > 0; --i) {
      const int32_t element = *value;
      sum += (uint32_t)element;
      value += params->reduced_strides[PS_RUN];
    }
  } while (ps_next_run(params->reduced_extents, index));
  return sum;
}

void ps_mean_s16(const ps_mean_params *params, const int16_t *input, int16_t *output) {
  int32_t index[PS_RUN] = {0};
  do {
    const int16_t *first = input + ps_run_offset(params->kept_strides, index);
    for (int32_t i = 0; i < params->kept_extents[PS_RUN]; ++i) {
      const int32_t sum = (int32_t)(sum_reduced(params, first) + (uint32_t)params->sum_offset);
      *output++ = (int16_t)ps_offset_and_clamp(
          ps_requantize(sum, params->multiplier, params->shift), params->output_offset,
          params->output_min, params->output_max);
      first += params->kept_strides[PS_RUN];
    }
  } while (ps_next_run(params->kept_extents, index));
}
