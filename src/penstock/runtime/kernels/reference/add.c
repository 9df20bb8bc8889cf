/* Sum and difference of two tensors. */
#include "penstock/elementwise.h"
#include "penstock/fixed_point.h"
#include "penstock/pairwise.h"

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

PS_DEFINE_PAIRWISE(ps_add_s8, ps_add_params, int8_t, add)
PS_DEFINE_PAIRWISE(ps_add_s16, ps_add_params, int16_t, add)
