/* Softmax of int8 in fixed point: exponentials by table, one division a row.
 *
 * Qm.n is a number of m integer and n fraction bits in 32 bits.
 */
#include "penstock/softmax.h"

#include "penstock/fixed_point.h"

enum { SUM_INTEGER_BITS = 12, NEWTON_STEPS = 3 };

static const int32_t FORTY_EIGHT_SEVENTEENTHS = 1515870810; /* Q2.29 */
static const int32_t THIRTY_TWO_SEVENTEENTHS = 1010580540;  /* Q2.29 */

/* What turns an exponential of a row into its probability. */
typedef struct normalizer {
  int32_t maximum;    /* of the row */
  int32_t reciprocal; /* mantissa of 1 / sum, Q0.31 */
  int32_t exponent;   /* sum < 2^exponent */
} normalizer;

/* Approximates 1 / m, in Q0.31, where m in [1, 2) is mantissa / 2^31. */
static int32_t invert(uint32_t mantissa) {
  const int32_t half = (int32_t)(mantissa >> 1);
  int32_t x = FORTY_EIGHT_SEVENTEENTHS + ps_multiply_high(half, -THIRTY_TWO_SEVENTEENTHS);
  for (int32_t step = 0; step < NEWTON_STEPS; ++step) {
    const int32_t error = (1 << 29) - ps_multiply_high(half, x);
    x += ps_multiply_high(x, error) * 4;
  }
  return x >= 1 << 30 ? INT32_MAX : x * 2;
}

static normalizer find_normalizer(const ps_softmax_params *params, const int8_t *input,
                                  const int32_t *exponentials) {
  normalizer result = {INT8_MIN, 0, SUM_INTEGER_BITS};
  uint32_t sum = 0; /* Q12.19, at least 1.0 */
  for (int32_t i = 0; i < params->columns; ++i) {
    if (input[i] > result.maximum) {
      result.maximum = input[i];
    }
  }
  for (int32_t i = 0; i < params->columns; ++i) {
    const int32_t difference = result.maximum - input[i];
    if (difference < params->table_size) {
      sum += (uint32_t)ps_divide_by_power_of_two(exponentials[difference], SUM_INTEGER_BITS);
    }
  }
  while (sum < 0x80000000U) {
    sum <<= 1;
    --result.exponent;
  }
  result.reciprocal = invert(sum);
  return result;
}

/* Returns the probability of a value in steps of 2^-bits. */
static int32_t find_probability(const ps_softmax_params *params, const normalizer *row,
                                int32_t value, const int32_t *exponentials, int32_t bits) {
  const int32_t difference = row->maximum - value;
  const int32_t exponent = row->exponent + 31 - bits;
  if (difference >= params->table_size || exponent > 31) {
    return 0;
  }
  return ps_divide_by_power_of_two(ps_multiply_high(row->reciprocal, exponentials[difference]),
                                   exponent);
}

void ps_softmax_s8(const ps_softmax_params *params, const int8_t *input,
                   const int32_t *exponentials, int8_t *output) {
  for (int32_t row = 0; row < params->rows; ++row) {
    const normalizer scale = find_normalizer(params, input, exponentials);
    for (int32_t i = 0; i < params->columns; ++i) {
      const int32_t steps = find_probability(params, &scale, input[i], exponentials, 8);
      output[i] = (int8_t)ps_offset_and_clamp(steps, INT8_MIN, INT8_MIN, INT8_MAX);
    }
    input += params->columns;
    output += params->columns;
  }
}

void ps_softmax_s8_s16(const ps_softmax_params *params, const int8_t *input,
                       const int32_t *exponentials, int16_t *output) {
  for (int32_t row = 0; row < params->rows; ++row) {
    const normalizer scale = find_normalizer(params, input, exponentials);
    for (int32_t i = 0; i < params->columns; ++i) {
      const int32_t steps = find_probability(params, &scale, input[i], exponentials, 16);
      output[i] = (int16_t)ps_offset_and_clamp(steps, INT16_MIN, INT16_MIN, INT16_MAX);
    }
    input += params->columns;
    output += params->columns;
  }
}
