/* Fully connected layer of int8: the input is widened once and used for all output channels. */
#include "penstock/fully_connected_dsp.h"

#include "penstock/dsp.h"
#include "penstock/dsp_scaling.h"
#include "penstock/fixed_point.h"
#include "penstock/dot_4x1.h"
#include "penstock/sum_scaling.h"
#include "penstock/widen_row.h"

enum { LANES = 4 };
enum { LONG_FOURS = 20 }; /* so that reading ahead is worth a call */

/* Makes an output of a channel: of even ones 128 has been added to the filters, odd ones are 256 times
 * beside these. correction: 128 times the sum of the values. */
static inline int8_t scale_lane(const uint32_t *sums, int32_t lane, uint32_t correction,
                                const int32_t *scaling) {
  const int32_t sum = lane % 2 == 0 ? (int32_t)(sums[lane] - correction)
                                    : (int32_t)(sums[lane] - sums[lane - 1]) >> 8;
  return (int8_t)ps_limit_to_s8(ps_scale_real(sum, scaling + lane * PS_REAL_SCALING_WORDS));
}

/* Scales a whole block; its outputs go to one word. */
static inline uint32_t scale_block(const uint32_t *sums, uint32_t correction,
                                   const int32_t *scaling) {
  const uint32_t first = (uint8_t)scale_lane(sums, 0, correction, scaling);
  const uint32_t second = (uint8_t)scale_lane(sums, 1, correction, scaling);
  const uint32_t third = (uint8_t)scale_lane(sums, 2, correction, scaling);
  const uint32_t fourth = (uint8_t)scale_lane(sums, 3, correction, scaling);
  return first | second << 8 | third << 16 | fourth << 24;
}

/* Multiplies a long block that little or nothing is behind: all but its end, so that a cache can read
 * ahead, then the end. */
PS_NOINLINE void multiply_last(const uint32_t *values, int32_t fours, const int8_t *block,
                               uint32_t *sums) {
  const int32_t end_fours = PS_DOT_AHEAD_BYTES / (4 * LANES);
  const int32_t before = fours - end_fours;
  uint32_t end[LANES];
  ps_dot_4x1(values, block, before, sums, PS_DOT_AHEAD_BYTES);
  ps_dot_4x1(values + 2 * before, block + 4 * LANES * before, end_fours, end, 0);
  for (int32_t lane = 0; lane < LANES; ++lane) {
    sums[lane] += end[lane];
  }
}

static void limit_outputs(const ps_fully_connected_params *params, int8_t *output) {
  const int32_t low = params->activation_min;
  const int32_t high = params->activation_max;
  for (int32_t channel = 0; channel < params->output_channels; ++channel) {
    output[channel] = (int8_t)ps_clamp(output[channel], low, high);
  }
}

void ps_fully_connected_dsp_s8(const ps_fully_connected_params *params, const int8_t *input,
                               const int8_t *filters, const int32_t *scaling, uint32_t *scratch,
                               int8_t *output) {
  const int32_t channels = params->output_channels;
  for (int32_t n = 0; n < params->batches; ++n) {
    const ps_row values = ps_widen_row(input, params->input_channels, scratch);
    const uint32_t correction = 128 * (uint32_t)values.sum;
    const int8_t *block = filters;
    const int32_t *constants = scaling;
    for (int32_t channel = 0; channel < channels; channel += LANES) {
      const int32_t left = channels - channel;
      const int32_t behind = left > LANES ? 4 * (left - LANES) * values.fours : 0;
      uint32_t sums[LANES];
      ps_preload(constants);
      ps_preload(constants + (left < LANES ? 0 : 2 * PS_REAL_SCALING_WORDS));
      if (behind < PS_DOT_AHEAD_BYTES && values.fours >= LONG_FOURS) {
        multiply_last(scratch, values.fours, block, sums);
      } else {
        ps_dot_4x1(scratch, block, values.fours, sums,
                   behind < PS_DOT_AHEAD_BYTES ? behind : PS_DOT_AHEAD_BYTES);
      }
      if (left >= LANES) {
        ps_store_word(output + channel, scale_block(sums, correction, constants));
      } else {
        for (int32_t lane = 0; lane < left; ++lane) {
          output[channel + lane] = scale_lane(sums, lane, correction, constants);
        }
      }
      constants += LANES * PS_REAL_SCALING_WORDS;
      block += 4 * LANES * values.fours;
    }
    if (params->activation_min > INT8_MIN || params->activation_max < INT8_MAX) {
      limit_outputs(params, output);
    }
    input += params->input_channels;
    output += channels;
  }
}
