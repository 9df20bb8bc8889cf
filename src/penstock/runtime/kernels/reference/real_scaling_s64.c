/* 64-bit integers times doubles, in integers. */
#include "penstock/real_scaling.h"

enum { MANTISSA_BITS = 53 };

/* A number of 128 bits. */
typedef struct wide {
  uint64_t high;
  uint64_t low;
} wide;

static wide multiply(uint64_t left, uint64_t right) {
  const uint64_t left_high = left >> 32;
  const uint64_t left_low = left & 0xFFFFFFFFU;
  const uint64_t right_high = right >> 32;
  const uint64_t right_low = right & 0xFFFFFFFFU;
  const uint64_t low = left_low * right_low;
  const uint64_t middle_1 = left_low * right_high;
  const uint64_t middle_2 = left_high * right_low;
  const uint64_t middle = (low >> 32) + (middle_1 & 0xFFFFFFFFU) + (middle_2 & 0xFFFFFFFFU);
  wide product;
  product.low = (middle << 32) | (low & 0xFFFFFFFFU);
  product.high = left_high * right_high + (middle_1 >> 32) + (middle_2 >> 32) + (middle >> 32);
  return product;
}

/* Returns how far a number within [1, 2^53) can be shifted left and stay below 2^53. */
static int32_t find_headroom(uint64_t value) {
  int32_t headroom = 0;
  for (int32_t step = 32; step > 0; step >>= 1) {
    if (value >> (MANTISSA_BITS - step) == 0) {
      value <<= step;
      headroom += step;
    }
  }
  return headroom;
}

int32_t ps_scale_by_real_s64(int64_t value, int64_t mantissa, int32_t exponent) {
  const uint64_t magnitude = value < 0 ? 0U - (uint64_t)value : (uint64_t)value;
  int32_t headroom;
  int32_t dropped;
  int32_t right_shift;
  wide product;
  uint64_t rounded;
  uint64_t rest;
  if (magnitude == 0) {
    return 0;
  }
  headroom = find_headroom(magnitude);
  product = multiply(magnitude << headroom, (uint64_t)mantissa);
  /* The product has 105 or 106 bits. */
  dropped = (product.high >> 41) != 0 ? MANTISSA_BITS : MANTISSA_BITS - 1;
  rounded = (product.high << (64 - dropped)) | (product.low >> dropped);
  rest = product.low & (((uint64_t)1 << dropped) - 1U);
  rounded += rest + (rounded & 1U) > (uint64_t)1 << (dropped - 1);
  right_shift = headroom - dropped - exponent;
  if (right_shift > MANTISSA_BITS + 1) {
    return 0;
  }
  if (right_shift < MANTISSA_BITS - 31) {
    rounded = INT32_MAX;
  } else {
    rounded = (rounded + ((uint64_t)1 << (right_shift - 1))) >> right_shift;
    rounded = rounded > INT32_MAX ? INT32_MAX : rounded;
  }
  return value < 0 ? -(int32_t)rounded : (int32_t)rounded;
}
