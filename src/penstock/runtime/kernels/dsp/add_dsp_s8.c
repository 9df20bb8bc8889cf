/* Sum of two tensors of int8. */
#include "penstock/add_dsp.h"

#include "penstock/dsp.h"
#include "penstock/fixed_point.h"

/* Returns value / 2^shift, halves as ps_add_dsp_params says; rounding: 2^(shift - 1) and more. */
static inline int32_t divide(int32_t value, int32_t rounding, int32_t shift) {
  return (value + (value >> 31) + rounding) >> shift;
}

/* Both operands have the same scale. */
static void add_alike(const ps_add_dsp_params *params, const int8_t *left, const int8_t *right,
                      int8_t *output) {
  const int32_t left_step = params->left_strides[PS_RUN];
  const int32_t right_step = params->right_strides[PS_RUN];
  const int32_t output_step = params->output_strides[PS_RUN];
  const int32_t multiplier = params->output_multiplier;
  const int32_t rounding = params->output_rounding;
  const int32_t shift = params->output_shift;
  const int32_t low = params->activation_min;
  const int32_t high = params->activation_max;
  const uint32_t start = (uint32_t)params->left_start;
  for (int32_t count = params->extents[PS_RUN]; count > 0; --count) {
    const uint32_t sum = start + ((uint32_t)(*left + *right) << 20);
    const int32_t scaled = ps_multiply_upper((int32_t)sum, multiplier);
    *output = (int8_t)ps_clamp(divide(scaled, rounding, shift), low, high);
    left += left_step;
    right += right_step;
    output += output_step;
  }
}

static void add_run(const ps_add_dsp_params *params, const int8_t *left, const int8_t *right,
                    int8_t *output) {
  const int32_t left_step = params->left_strides[PS_RUN];
  const int32_t right_step = params->right_strides[PS_RUN];
  const int32_t output_step = params->output_strides[PS_RUN];
  const int32_t right_multiplier = params->right_multiplier;
  const int32_t right_rounding = params->right_rounding;
  const int32_t right_shift = params->right_shift;
  const int32_t multiplier = params->output_multiplier;
  const int32_t rounding = params->output_rounding;
  const int32_t shift = params->output_shift;
  const int32_t low = params->activation_min;
  const int32_t high = params->activation_max;
  const uint32_t left_start = (uint32_t)params->left_start;
  const uint32_t right_start = (uint32_t)params->right_start;
  for (int32_t count = params->extents[PS_RUN]; count > 0; --count) {
    const int32_t raised = (int32_t)(right_start + ((uint32_t)*right << 21));
    const int32_t other =
        divide(ps_multiply_upper(raised, right_multiplier), right_rounding, right_shift);
    const uint32_t sum = left_start + ((uint32_t)*left << 20) + ((uint32_t)other << 1);
    const int32_t scaled = ps_multiply_upper((int32_t)sum, multiplier);
    *output = (int8_t)ps_clamp(divide(scaled, rounding, shift), low, high);
    left += left_step;
    right += right_step;
    output += output_step;
  }
}

void ps_add_dsp_s8(const ps_add_dsp_params *params, const int8_t *left, const int8_t *right,
                   int8_t *output) {
  int32_t index[PS_RUN] = {0};
  do {
    const int8_t *l = left + ps_run_offset(params->left_strides, index);
    const int8_t *r = right + ps_run_offset(params->right_strides, index);
    int8_t *o = output + ps_run_offset(params->output_strides, index);
    if (params->right_shift == 0) {
      add_alike(params, l, r, o);
    } else {
      add_run(params, l, r, o);
    }
  } while (ps_next_run(params->extents, index));
}
