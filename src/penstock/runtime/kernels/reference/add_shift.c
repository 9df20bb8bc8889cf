/* Sum and difference of int16 tensors whose scales are powers of two. */
#include "penstock/elementwise.h"
#include "penstock/fixed_point.h"
#include "penstock/pairwise.h"

static int32_t add(const ps_add_shift_params *params, int32_t left, int32_t right) {
  const int32_t left_scaled = ps_divide_by_power_of_two(left, params->left_right_shift);
  const int32_t right_scaled =
      ps_divide_by_power_of_two(params->right_sign * right, params->right_right_shift);
  return ps_clamp(left_scaled + right_scaled, params->activation_min, params->activation_max);
}

PS_DEFINE_PAIRWISE(ps_add_shift_s16, ps_add_shift_params, int16_t, add)
