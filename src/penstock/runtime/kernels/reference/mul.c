/* Product of two tensors. */
#include "penstock/elementwise.h"
#include "penstock/fixed_point.h"
#include "penstock/pairwise.h"

static int32_t multiply(const ps_mul_params *params, int32_t left, int32_t right) {
  const int32_t product = (left + params->left_offset) * (right + params->right_offset);
  return ps_offset_and_clamp(
      ps_requantize(product, params->output_multiplier, params->output_shift),
      params->output_offset, params->activation_min, params->activation_max);
}

PS_DEFINE_PAIRWISE(ps_mul_s8, ps_mul_params, int8_t, multiply)
PS_DEFINE_PAIRWISE(ps_mul_s16, ps_mul_params, int16_t, multiply)
