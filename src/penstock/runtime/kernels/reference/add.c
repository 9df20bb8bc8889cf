/* Sum and difference of two tensors. */
#include "penstock/elementwise.h"
#include "penstock/fixed_point.h"

static int32_t add(const ps_add_params *params, int32_t left, int32_t right) {
  const int32_t left_raised =
      ps_shift_left_wrapping(left + params->left_offset, params->headroom_shift);
  const int32_t right_raised =
      ps_shift_left_wrapping(right + params->right_offset, params->headroom_shift);
  const int32_t left_scaled =
      ps_requantize(left_raised, params->left_multiplier, params->left_shift);
  const int32_t right_scaled =
      ps_requantize(right_raised, params->right_multiplier, params->right_shift);
  const int32_t sum = ps_add_wrapping(left_scaled, params->right_sign * right_scaled);
  return ps_offset_and_clamp(ps_requantize(sum, params->output_multiplier, params->output_shift),
                             params->output_offset, params->activation_min, params->activation_max);
}

void ps_add_s8(const ps_add_params *params, const int8_t *left, const int8_t *right,
               int8_t *output) {
  int32_t index[PS_RUN] = {0};
  do {
    const int8_t *l = left + ps_run_offset(params->left_strides, index);
    const int8_t *r = right + ps_run_offset(params->right_strides, index);
    int8_t *o = output + ps_run_offset(params->output_strides, index);
    for (int32_t i = 0; i < params->extents[PS_RUN]; ++i) {
      *o = (int8_t)add(params, *l, *r);
      l += params->left_strides[PS_RUN];
      r += params->right_strides[PS_RUN];
      o += params->output_strides[PS_RUN];
    }
  } while (ps_next_run(params->extents, index));
}

void ps_add_s16(const ps_add_params *params, const int16_t *left, const int16_t *right,
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
