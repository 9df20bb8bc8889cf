/* Fully connected layer of int8 with filters without their zeros. */
#include "penstock/fully_connected_sparse.h"

#include <stddef.h>

#include "penstock/fixed_point.h"
#include "penstock/real_scaling.h"
#include "penstock/sparse_filters.h"

static void multiply_row(const ps_fully_connected_params *params, const int8_t *input,
                         const uint8_t *filters, const int32_t *bias, const int64_t *mantissas,
                         const int16_t *exponents, int8_t *output) {
  for (int32_t channel = 0; channel < params->output_channels; ++channel) {
    uint32_t sum = ps_sparse_dot(filters, input, params->input_offset);
    if (bias != NULL) {
      sum += (uint32_t)bias[channel];
    }
    output[channel] = (int8_t)ps_offset_and_clamp(
        ps_scale_by_real_s32((int32_t)sum, *mantissas, *exponents), params->output_offset,
        params->activation_min, params->activation_max);
    filters = ps_sparse_next(filters);
    mantissas += params->factor_step;
    exponents += params->factor_step;
  }
}

void ps_fully_connected_sparse_s8(const ps_fully_connected_params *params, const int8_t *input,
                                  const uint8_t *filters, const int32_t *bias,
                                  const int64_t *mantissas, const int16_t *exponents,
                                  int8_t *output) {
  for (int32_t n = 0; n < params->batches; ++n) {
    multiply_row(params, input, filters, bias, mantissas, exponents, output);
    input += params->input_channels;
    output += params->output_channels;
  }
}
