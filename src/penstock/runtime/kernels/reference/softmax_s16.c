/* Softmax of int16: exponential and reciprocal by linear interpolation in tables. */
#include "penstock/fixed_point.h"
#include "penstock/softmax.h"

/* Interpolates in a table of 513 points, 128 steps apart; value within int16. */
static int32_t interpolate(const int16_t *table, int32_t value) {
  const int32_t index = 256 + (value >> 7);
  const int32_t slope = table[index + 1] - table[index];
  return table[index] + ((slope * (value & 127) + 64) >> 7);
}

static int32_t find_maximum(const int16_t *values, int32_t count) {
  int32_t maximum = INT16_MIN;
  for (int32_t i = 0; i < count; ++i) {
    if (values[i] > maximum) {
      maximum = values[i];
    }
  }
  return maximum;
}

static void normalize_row(const ps_softmax_s16_params *params, const int16_t *input,
                          const int16_t *exponentials, const int16_t *reciprocals,
                          int16_t *output) {
  const int32_t maximum = find_maximum(input, params->columns);
  uint32_t sum = 0; /* Q16.15, at least about 1 */
  int32_t headroom = 0;
  int32_t reciprocal;
  for (int32_t i = 0; i < params->columns; ++i) {
    const int32_t scaled = ps_requantize(input[i] - maximum, params->multiplier, params->shift);
    const int32_t exponential =
        interpolate(exponentials, ps_clamp(ps_add_wrapping(scaled, 32767), -32768, 32767));
    output[i] = (int16_t)exponential;
    sum += (uint32_t)exponential;
  }
  while (sum < 0x80000000U) {
    sum <<= 1;
    ++headroom;
  }
  /* The mantissa 1 + x as x in steps of 2^-16, centered for the table. */
  reciprocal = interpolate(
      reciprocals,
      ps_clamp((int32_t)(((sum >> 1) + (1U << 13)) >> 14) - (1 << 15) - (1 << 16), -32768, 32767));
  for (int32_t i = 0; i < params->columns; ++i) {
    const int32_t right_shift = 31 - headroom;
    const int32_t product = output[i] * reciprocal + (1 << (right_shift - 1));
    output[i] = (int16_t)ps_clamp(product >> right_shift, 0, 32767);
  }
}

void ps_softmax_s16(const ps_softmax_s16_params *params, const int16_t *input,
                    const int16_t *exponentials, const int16_t *reciprocals, int16_t *output) {
  for (int32_t row = 0; row < params->rows; ++row) {
    normalize_row(params, input, exponentials, reciprocals, output);
    input += params->columns;
    output += params->columns;
  }
}
