/* 32-bit integers times doubles, in integers. */
#include "penstock/real_scaling.h"

/* Returns the number of significant bits of a value that is not 0. */
static int32_t count_bits(uint32_t value) {
#if defined(__GNUC__)
  return 32 - __builtin_clz(value);
#else
  int32_t bits = 0;
  for (; value != 0; value >>= 1) {
    ++bits;
  }
  return bits;
#endif
}

int32_t ps_scale_by_real_s32(int32_t value, int64_t mantissa, int32_t exponent) {
  const uint32_t magnitude = value < 0 ? 0U - (uint32_t)value : (uint32_t)value;
  const uint64_t low = (uint64_t)magnitude * ((uint64_t)mantissa & 0xFFFFFFFFU);
  /* The product is high * 2^32 + the low half of low: at most 85 bits. */
  uint64_t high = magnitude * ((uint64_t)mantissa >> 32) + (low >> 32);
  const int32_t right_shift = -exponent - 32; /* of high, to reach whole numbers */
  int32_t dropped;
  uint64_t carried;
  if (magnitude == 0 || right_shift > 54) {
    return 0;
  }
  if (right_shift < 1) {
    return value < 0 ? -INT32_MAX : INT32_MAX;
  }
  /* Rounding to 53 bits drops as many bits as the magnitude has, or one fewer. It matters only
   * where it reaches a half, an even number of 53 bits: halves up then does what halves to even
   * would. */
  dropped = count_bits(magnitude) - 1;
  dropped += (int32_t)(high >> (dropped + 21));
  carried = low & 0xFFFFFFFFU;
  if (dropped > 0) {
    carried += (uint64_t)1 << (dropped - 1);
  }
  high += (carried >> 32) + ((uint64_t)1 << (right_shift - 1));
  high >>= right_shift;
  if (high > INT32_MAX) {
    high = INT32_MAX;
  }
  return value < 0 ? -(int32_t)high : (int32_t)high;
}
