/* Fully connected layer of int8: the input is widened once and used for all output channels. */
#include "penstock/fully_connected_dsp.h"

#include "penstock/dsp.h"
#include "penstock/fixed_point.h"
#include "penstock/multiply_4x1.h"

enum { LANES = 4, SCALING_WORDS = 5 };

/* Widens values to pairs, (0, 2) and (1, 3) of each four; returns how many pairs. */
static int32_t widen_row(const int8_t *values, int32_t count, uint32_t *pairs) {
  uint32_t *to = pairs;
  for (; count >= 4; count -= 4) {
    const uint32_t word = ps_load_word(values);
    *to++ = ps_even_bytes(word);
    *to++ = ps_odd_bytes(word);
    values += 4;
  }
  if (count > 0) {
    uint32_t word = 0;
    for (int32_t i = 0; i < count; ++i) {
      word |= (uint32_t)(uint8_t)values[i] << (8 * i);
    }
    *to++ = ps_even_bytes(word);
    *to++ = ps_odd_bytes(word);
  }
  return (int32_t)(to - pairs);
}

static inline int32_t scale(int32_t sum, const int32_t *scaling) {
  const int32_t lower = (int32_t)((int64_t)sum * scaling[2] >> 31);
  const int32_t product = (int32_t)(((int64_t)sum * scaling[1] + lower) >> 31);
  return (product + scaling[3]) >> scaling[4];
}

void ps_fully_connected_dsp_s8(const ps_fully_connected_params *params, const int8_t *input,
                               const int8_t *filters, const int32_t *scaling, uint32_t *scratch,
                               int8_t *output) {
  const int32_t low = params->activation_min;
  const int32_t high = params->activation_max;
  const int32_t channels = params->output_channels;
  for (int32_t n = 0; n < params->batches; ++n) {
    const int32_t pairs = widen_row(input, params->input_channels, scratch);
    const int8_t *block = filters;
    const int32_t *row = scaling;
    for (int32_t channel = 0; channel < channels; channel += LANES) {
      const int32_t lanes = channels - channel < LANES ? channels - channel : LANES;
      int32_t sums[LANES] = {0, 0, 0, 0};
      for (int32_t lane = 0; lane < lanes; ++lane) {
        sums[lane] = row[lane * SCALING_WORDS];
      }
      ps_multiply_4x1(scratch, block, pairs, sums);
      for (int32_t lane = 0; lane < lanes; ++lane) {
        output[channel + lane] = (int8_t)ps_clamp(scale(sums[lane], row), low, high);
        row += SCALING_WORDS;
      }
      block += 2 * LANES * pairs;
    }
    input += params->input_channels;
    output += channels;
  }
}
