/* Product of two tensors. */
#include "penstock/elementwise.h"
#include "penstock/fixed_point.h"

static int32_t multiply(const ps_mul_params *params, int32_t left, int32_t right) {
  const int32_t product = (left + params->left_offset) * (right + params->right_offset);
  return ps_offset_and_clamp(
      ps_requantize(product, params->output_multiplier, params->output_shift),
      params->output_offset, params->activation_min, params->activation_max);
}

void ps_mul_s8(const ps_mul_params *params, const int8_t *left, const int8_t *right,
               int8_t *output) {
  int32_t index[PS_RUN] = {0};
  do {
    const int8_t *l = left + ps_run_offset(params->left_strides, index);
    const int8_t *r = right + ps_run_offset(params->right_strides, index);
    int8_t *o = output + ps_run_offset(params->output_strides, index);
    for (int32_t i = 0; i < params->extents[PS_RUN]; ++i) {
      *o = (int8_t)multiply(params, *l, *r);
      l += params->left_strides[PS_RUN];
      r += params->right_strides[PS_RUN];
      o += params->output_strides[PS_RUN];
    }
  } while (ps_next_run(params->extents, index));
}

void ps_mul_s16(const ps_mul_params *params, const int16_t *left, const int16_t *right,
                int16_t *output) {
  int32_t index[PS_RUN] = {0};
  do {
    const int16_t *l = left + ps_run_offset(params->left_strides, index);
    const int16_t *r = right + ps_run_offset(params->right_strides, index);
    int16_t *o = output + ps_run_offset(params->output_strides, index);
    for (int32_t i = 0; i < params->extents[PS_RUN]; ++i) {
      *o = (int16_t)multiply(params, *l, *r);
      l += params->left_strides[PS_RUN];
      r += params->right_strides[PS_RUN];
      o += params->output_strides[PS_RUN];
    }
  } while (ps_next_run(params->extents, index));
}
