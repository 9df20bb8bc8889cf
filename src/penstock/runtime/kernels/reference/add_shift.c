/* Sum and difference of int16 tensors whose scales are powers of two. */
#include "penstock/elementwise.h"
#include "penstock/fixed_point.h"

static int32_t add(const ps_add_shift_params *params, int32_t left, int32_t right) {
  const int32_t left_scaled = ps_divide_by_power_of_two(left, params->left_right_shift);
  const int32_t right_scaled =
      ps_divide_by_power_of_two(params->right_sign * right, params->right_right_shift);
  return ps_clamp(left_scaled + right_scaled, params->activation_min, params->activation_max);
}

void ps_add_shift_s16(const ps_add_shift_params *params, const int16_t *left, const int16_t *right,
                      int16_t *output) {
  int32_t index[PS_RUN] = {0};
  do {
    const int16_t *l = left + ps_run_offset(params->left_strides, index);
    const int16_t *r = right + ps_run_offset(params->right_strides, index);
    int16_t *o = output + ps_run_offset(params->output_strides, index);
    for (int32_t i = 0; i < params->extents[PS_RUN]; ++i) {
      *o = (int16_t)add(params, *l, *r);
      l += params->left_strides[PS_RUN];
      r += params->right_strides[PS_RUN];
      o += params->output_strides[PS_RUN];
    }
  } while (ps_next_run(params->extents, index));
}
