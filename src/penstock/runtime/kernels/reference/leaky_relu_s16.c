/* Leaky ReLU of int16. */
#include "penstock/activation.h"
#include "penstock/fixed_point.h"

void ps_leaky_relu_s16(const ps_leaky_relu_params *params, const int16_t *input, int16_t *output) {
  for (int32_t i = 0; i < params->count; ++i) {
    const int32_t value = input[i] + params->input_offset;
    const int32_t scaled =
        value >= 0 ? ps_requantize(value, params->identity_multiplier, params->identity_shift)
                   : ps_requantize(value, params->alpha_multiplier, params->alpha_shift);
    output[i] = (int16_t)ps_offset_and_clamp(scaled, params->output_offset, params->output_min,
                                             params->output_max);
  }
}
