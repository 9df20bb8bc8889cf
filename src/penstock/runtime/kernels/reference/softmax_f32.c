/* Softmax and log-softmax of float32 without libm.
 *
 * Sums are formed in float32 and in order, so that they round like a plain C loop with expf.
 */
#include "penstock/softmax.h"

#include <string.h>

static double power_of_two(int32_t exponent) {
  const uint64_t bits = (uint64_t)(exponent + 1023) << 52;
  double result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

/* exp(x) for x <= 0 by reduction to |r| <= ln(2) / 2 and a Taylor polynomial; relative error below
 * 1e-11. NaN stays NaN. */
static float exponential(float value) {
  static const double LOG2_E = 1.4426950408889634;
  static const double LN_2 = 0.6931471805599453;
  static const double INVERSE_FACTORIALS[] = {
      1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0,
      1.0 / 24.0,      1.0 / 6.0,      0.5,           1.0,          1.0};
  const double x = (double)value;
  double r;
  double sum = 0.0;
  int32_t exponent;
  if (value != value) {
    return value;
  }
  if (x < -104.0) { /* below half of the smallest float32 */
    return 0.0F;
  }
  exponent = (int32_t)(x * LOG2_E - 0.5);
  r = x - (double)exponent * LN_2;
  for (int32_t term = 0; term < 11; ++term) {
    sum = sum * r + INVERSE_FACTORIALS[term];
  }
  return (float)(sum * power_of_two(exponent));
}

/* log(x) for finite x >= 1 by 2 artanh((m - 1) / (m + 1)) of a mantissa near 1; absolute error
 * below 1e-13. Infinity and NaN stay as they are. */
static float logarithm(float value) {
  static const double LN_2 = 0.6931471805599453;
  static const double SQRT_2 = 1.4142135623730951;
  double mantissa = (double)value;
  double s;
  double square;
  double sum = 0.0;
  int32_t exponent = 0;
  if (!(value <= 3.402823466e+38F)) {
    return value;
  }
  while (mantissa > SQRT_2) {
    mantissa *= 0.5;
    ++exponent;
  }
  s = (mantissa - 1.0) / (mantissa + 1.0);
  square = s * s;
  for (int32_t power = 17; power > 0; power -= 2) {
    sum = sum * square + 1.0 / (double)power;
  }
  return (float)((double)exponent * LN_2 + 2.0 * s * sum);
}

static float find_maximum(const float *values, int32_t count) {
  float maximum = values[0];
  for (int32_t i = 1; i < count; ++i) {
    if (values[i] > maximum) {
      maximum = values[i];
    }
  }
  return maximum;
}

void ps_softmax_f32(const ps_softmax_f32_params *params, const float *input, float *output) {
  for (int32_t row = 0; row < params->rows; ++row) {
    const float maximum = find_maximum(input, params->columns);
    float sum = 0.0F;
    for (int32_t i = 0; i < params->columns; ++i) {
      output[i] = exponential((input[i] - maximum) * params->beta);
      sum += output[i];
    }
    for (int32_t i = 0; i < params->columns; ++i) {
      output[i] /= sum;
    }
    input += params->columns;
    output += params->columns;
  }
}

void ps_log_softmax_f32(const ps_softmax_f32_params *params, const float *input, float *output) {
  for (int32_t row = 0; row < params->rows; ++row) {
    const float maximum = find_maximum(input, params->columns);
    float sum = 0.0F;
    float logarithm_of_sum;
    for (int32_t i = 0; i < params->columns; ++i) {
      sum += exponential(input[i] - maximum);
    }
    logarithm_of_sum = logarithm(sum);
    for (int32_t i = 0; i < params->columns; ++i) {
      output[i] = input[i] - maximum - logarithm_of_sum;
    }
    input += params->columns;
    output += params->columns;
  }
}
