/* Fully connected layer of int16 activations with int8 filters, two output channels together. */
#include <stddef.h>

#include "penstock/dot_product.h"
#include "penstock/fixed_point.h"
#include "penstock/real_scaling.h"
#include "penstock/fully_connected.h"

enum { BLOCK = 2 };

static void multiply_row(const ps_fully_connected_params *params, const int16_t *input,
                         const int8_t *filters, const int64_t *bias, const int64_t *mantissas,
                         const int16_t *exponents, int16_t *output) {
  const int32_t depth = params->input_channels;
  int32_t channel = 0;
  while (channel < params->output_channels) {
    const int32_t count = params->output_channels - channel >= BLOCK ? BLOCK : 1;
    int64_t sums[BLOCK];
    for (int32_t lane = 0; lane < count; ++lane) {
      sums[lane] = bias != NULL ? bias[channel + lane] : 0;
    }
    if (count == BLOCK) {
      ps_dot_2_s16(input, filters, depth, depth, sums);
    } else {
      ps_dot_1_s16(input, filters, depth, sums);
    }
    filters += count * depth;
    for (int32_t lane = 0; lane < count; ++lane, ++channel) {
      const int32_t scaled = ps_scale_by_real_s64(
          params->narrow_sums ? (int32_t)sums[lane] : sums[lane], *mantissas, *exponents);
      output[channel] = (int16_t)ps_clamp(scaled, params->activation_min, params->activation_max);
      mantissas += params->factor_step;
      exponents += params->factor_step;
    }
  }
}

void ps_fully_connected_s16(const ps_fully_connected_params *params, const int16_t *input,
                            const int8_t *filters, const int64_t *bias, const int64_t *mantissas,
                            const int16_t *exponents, int16_t *output) {
  for (int32_t n = 0; n < params->batches; ++n) {
    multiply_row(params, input, filters, bias, mantissas, exponents, output);
    input += params->input_channels;
    output += params->output_channels;
  }
}
