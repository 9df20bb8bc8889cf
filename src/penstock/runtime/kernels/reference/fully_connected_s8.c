/* Fully connected layer of int8, four output channels together. */
#include "penstock/fully_connected.h"

#include <stddef.h>

#include "penstock/dot_product.h"
#include "penstock/fixed_point.h"
#include "penstock/real_scaling.h"

enum { BLOCK = 4 };

static void multiply_row(const ps_fully_connected_params *params, const int8_t *input,
                         const int8_t *filters, const int32_t *bias, const int64_t *mantissas,
                         const int16_t *exponents, int8_t *output) {
  const int32_t depth = params->input_channels;
  uint32_t correction = 0;
  int32_t channel = 0;
  if (params->filter_offset != 0) {
    correction = (uint32_t)params->filter_offset * ps_sum_s8(input, params->input_offset, depth);
  }
  while (channel < params->output_channels) {
    const int32_t count = params->output_channels - channel >= BLOCK ? BLOCK : 1;
    uint32_t sums[BLOCK] = {correction, correction, correction, correction};
    if (bias != NULL) {
      for (int32_t lane = 0; lane < count; ++lane) {
        sums[lane] += (uint32_t)bias[channel + lane];
      }
    }
    if (count == BLOCK) {
      ps_dot_4_s8(input, params->input_offset, filters, depth, depth, sums);
    } else {
      ps_dot_1_s8(input, params->input_offset, filters, depth, sums);
    }
    filters += count * depth;
    for (int32_t lane = 0; lane < count; ++lane) {
      const int32_t scaled = ps_scale_by_real_s32((int32_t)sums[lane], *mantissas, *exponents);
      output[channel + lane] = (int8_t)ps_offset_and_clamp(
          scaled, params->output_offset, params->activation_min, params->activation_max);
      mantissas += params->factor_step;
      exponents += params->factor_step;
    }
    channel += count;
  }
}

void ps_fully_connected_s8(const ps_fully_connected_params *params, const int8_t *input,
                           const int8_t *filters, const int32_t *bias, const int64_t *mantissas,
                           const int16_t *exponents, int8_t *output) {
  for (int32_t n = 0; n < params->batches; ++n) {
    multiply_row(params, input, filters, bias, mantissas, exponents, output);
    input += params->input_channels;
    output += params->output_channels;
  }
}
