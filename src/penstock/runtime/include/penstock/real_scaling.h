/* Products with real factors, rounded exactly as IEEE 754 double precision would, in integers.
 *
 * TensorFlow Lite's fully connected layers multiply each sum by a double and round the product.
 * Few microcontrollers have double-precision hardware; this is exact and several times faster than
 * a software library's multiplication, conversion and rounding.
 */
#ifndef PENSTOCK_REAL_SCALING_H
#define PENSTOCK_REAL_SCALING_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns value * mantissa * 2^exponent to nearest, halves away from zero. The product is rounded
 * to 53 bits first, halves to even. Results of 2^20 and more may come out as 2^31 - 1 instead, and
 * their negatives alike.
 *
 * mantissa: of a double, within [2^52, 2^53). exponent: within [-2^15, 2^15).
 */
int32_t ps_scale_by_real_s32(int32_t value, int64_t mantissa, int32_t exponent);

/* The same for values within (-2^53, 2^53). */
int32_t ps_scale_by_real_s64(int64_t value, int64_t mantissa, int32_t exponent);

#ifdef __cplusplus
}
#endif

#endif
