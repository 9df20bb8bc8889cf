/* Integer arithmetic of requantization: 31-bit multipliers and power-of-two shifts.
 *
 * A real factor is held as multiplier * 2^(shift - 31), where multiplier is 0 or within
 * [2^30, 2^31) and shift within [-31, 30]. Results equal those of TensorFlow Lite's reference
 * kernels bit for bit, for every input: sums that leave 32 bits wrap instead of being undefined.
 *
 * Right shifts of negative numbers must be arithmetic, as with every compiler for these targets.
 */
#ifndef PENSTOCK_FIXED_POINT_H
#define PENSTOCK_FIXED_POINT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns value limited to [low, high]. */
static inline int32_t ps_clamp(int32_t value, int32_t low, int32_t high) {
  if (value < low) {
    return low;
  }
  return value > high ? high : value;
}

/* Returns left + right modulo 2^32. */
static inline int32_t ps_add_wrapping(int32_t left, int32_t right) {
  return (int32_t)((uint32_t)left + (uint32_t)right);
}

/* Returns value * 2^exponent modulo 2^32; exponent within [0, 31]. */
static inline int32_t ps_shift_left_wrapping(int32_t value, int32_t exponent) {
  return (int32_t)((uint32_t)value << exponent);
}

/* Returns value * multiplier / 2^31 to nearest, halves up; multiplier > -2^31. */
static inline int32_t ps_multiply_high(int32_t value, int32_t multiplier) {
  return (int32_t)(((int64_t)value * multiplier + ((int64_t)1 << 30)) >> 31);
}

/* Returns value / 2^exponent to nearest, halves away from zero; exponent within [0, 31],
 * value > -2^31. */
static inline int32_t ps_divide_by_power_of_two(int32_t value, int32_t exponent) {
  /* Halves are rounded up; below zero, one less makes that down. */
  const int32_t shifted_down = value - (value < 0);
  if (exponent == 0) {
    return value;
  }
  return ((shifted_down >> (exponent - 1)) + 1) >> 1;
}

/* Returns value * multiplier * 2^(shift - 31), rounded twice: after the product and after the
 * shift. */
static inline int32_t ps_requantize(int32_t value, int32_t multiplier, int32_t shift) {
  if (shift >= 0) {
    return ps_multiply_high(ps_shift_left_wrapping(value, shift), multiplier);
  }
  return ps_divide_by_power_of_two(ps_multiply_high(value, multiplier), -shift);
}

/* The same for 48-bit sums of int16 kernels, as these round: the multiplier is cut to 16 bits and
 * the result rounded once, halves up. shift within [-31, 7], value within [-2^47, 2^47). */
static inline int32_t ps_requantize_s64(int64_t value, int32_t multiplier, int32_t shift) {
  const int32_t reduced = multiplier < 0x7FFF0000 ? (multiplier + (1 << 15)) >> 16 : 0x7FFF;
  const int32_t total_shift = 15 - shift;
  const uint64_t product = (uint64_t)value * (uint64_t)reduced;
  const int64_t rounded = (int64_t)(product + ((uint64_t)1 << (total_shift - 1)));
  return (int32_t)(rounded >> total_shift);
}

/* Returns value + offset limited to [low, high]; low - offset and high - offset fit 32 bits. */
static inline int32_t ps_offset_and_clamp(int32_t value, int32_t offset, int32_t low,
                                          int32_t high) {
  return ps_clamp(value, low - offset, high - offset) + offset;
}

#ifdef __cplusplus
}
#endif

#endif
