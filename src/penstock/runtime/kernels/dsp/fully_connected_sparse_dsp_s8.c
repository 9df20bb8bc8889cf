/* Fully connected layer of int8 with filters without their zeros. */
#include "penstock/fully_connected_sparse_dsp.h"

#include "penstock/dot_sparse.h"
#include "penstock/fixed_point.h"
#include "penstock/sparse_filters.h"
#include "penstock/sum_scaling.h"

void ps_fully_connected_sparse_dsp_s8(const ps_fully_connected_params *params, const int8_t *input,
                                      const uint8_t *filters, const int32_t *scaling,
                                      int8_t *output) {
  const int32_t low = params->activation_min;
  const int32_t high = params->activation_max;
  for (int32_t n = 0; n < params->batches; ++n) {
    const uint8_t *channel = filters;
    const int32_t *constants = scaling;
    for (int32_t c = 0; c < params->output_channels; ++c) {
      const int32_t sum = ps_dot_sparse(channel, input);
      *output++ = (int8_t)ps_clamp(ps_scale_real(sum, constants), low, high);
      channel = ps_sparse_next(channel);
      constants += PS_REAL_SCALING_WORDS;
    }
    input += params->input_channels;
  }
}
