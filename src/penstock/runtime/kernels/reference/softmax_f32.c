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

/* exp(x) for x <= 0 in steps of ln(2) / 32: a table of powers of two and a cubic polynomial, in the
 * order of operations of glibc's expf, so that running sums round as there. NaN stays NaN.
 * Source: Arm Optimized Routines, math/expf.c (MIT). */
static float exponential(float value) {
  static const double POWERS[] = {
      0x1p+0, 0x1.059b0d3158574p+0, 0x1.0b5586cf9890fp+0, 0x1.11301d0125b51p+0,
      0x1.172b83c7d517bp+0, 0x1.1d4873168b9aap+0, 0x1.2387a6e756238p+0, 0x1.29e9df51fdee1p+0,
      0x1.306fe0a31b715p+0, 0x1.371a7373aa9cbp+0, 0x1.3dea64c123422p+0, 0x1.44e086061892dp+0,
      0x1.4bfdad5362a27p+0, 0x1.5342b569d4f82p+0, 0x1.5ab07dd485429p+0, 0x1.6247eb03a5585p+0,
      0x1.6a09e667f3bcdp+0, 0x1.71f75e8ec5f74p+0, 0x1.7a11473eb0187p+0, 0x1.82589994cce13p+0,
      0x1.8ace5422aa0dbp+0, 0x1.93737b0cdc5e5p+0, 0x1.9c49182a3f090p+0, 0x1.a5503b23e255dp+0,
      0x1.ae89f995ad3adp+0, 0x1.b7f76f2fb5e47p+0, 0x1.c199bdd85529cp+0, 0x1.cb720dcef9069p+0,
      0x1.d5818dcfba487p+0, 0x1.dfc97337b9b5fp+0, 0x1.ea4afa2a490dap+0, 0x1.f50765b6e4540p+0,
  };
  static const double STEPS_PER_UNIT = 0x1.71547652b82fep+5; /* 32 / ln(2) */
  static const double TO_WHOLE = 0x1.8p52; /* added, it leaves no bits of a fraction */
  static const double CUBIC = 0x1.c6af84b912394p-20;
  static const double SQUARE = 0x1.ebfce50fac4f3p-13;
  static const double LINEAR = 0x1.62e42ff0c52d6p-6;
  double scaled;
  double whole;
  double rest;
  int32_t steps;
  int32_t part;
  if (value != value) {
    return value;
  }
  if (value < -104.0F) { /* below half of the smallest float32 */
    return 0.0F;
  }
  scaled = (double)value * STEPS_PER_UNIT;
  whole = (scaled + TO_WHOLE) - TO_WHOLE;
  rest = scaled - whole;
  steps = (int32_t)whole;
  part = steps & 31;
  return (float)(((CUBIC * rest + SQUARE) * (rest * rest) + (LINEAR * rest + 1.0)) *
                 (POWERS[part] * power_of_two((steps - part) / 32)));
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
