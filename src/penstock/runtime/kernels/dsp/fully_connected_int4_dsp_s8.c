/* Fully connected layer of int8 with filters of four bits: the input is widened once and used for all
 * output channels. */
#include "penstock/fully_connected_int4_dsp.h"

#include "penstock/dot_int4_4x1.h"
#include "penstock/fixed_point.h"
#include "penstock/sum_scaling.h"
#include "penstock/widen_row.h"

enum { LANES = 4 };
enum { LOWEST = 8 }; /* added to each filter */

void ps_fully_connected_int4_dsp_s8(const ps_fully_connected_params *params, const int8_t *input,
                                    const uint8_t *filters, const int32_t *scaling,
                                    uint32_t *scratch, int8_t *output) {
  const int32_t channels = params->output_channels;
  const int32_t low = params->activation_min;
  const int32_t high = params->activation_max;
  for (int32_t n = 0; n < params->batches; ++n) {
    const ps_row values = ps_widen_row(input, params->input_channels, scratch);
    const int32_t *constants = scaling;
    const uint8_t *block = filters;
    uint32_t sums[LANES] = {0, 0, 0, 0};
    for (int32_t channel = 0; channel < channels; ++channel) {
      const int32_t lane = channel % LANES;
      int32_t sum;
      if (lane == 0) {
        ps_dot_int4_4x1(scratch, block, values.fours, sums);
        block += 2 * LANES * values.fours;
      }
      sum = lane % 2 == 0 ? (int32_t)sums[lane] : (int32_t)(sums[lane] - sums[lane - 1]) >> 8;
      *output++ = (int8_t)ps_clamp(ps_scale_real(sum - LOWEST * values.sum, constants), low, high);
      constants += PS_REAL_SCALING_WORDS;
    }
    input += params->input_channels;
  }
}
