/* Inner loops shared by convolutions and fully connected layers.
 *
 * Four output channels (two for int16) are computed together, so that each input element is loaded
 * and offset once for all of them. They are functions of their own, not inlined, so that a compiler
 * keeps every sum and pointer in registers.
 *
 * Sums of int8 products are unsigned: a model that overflows them wraps like two's complement
 * instead of being undefined.
 */
#ifndef PENSTOCK_DOT_PRODUCT_H
#define PENSTOCK_DOT_PRODUCT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Adds to sums[0] the sum of (values[i] + offset) * filter[i], 0 <= i < count. */
void ps_dot_1_s8(const int8_t *values, int32_t offset, const int8_t *filter, int32_t count,
                 uint32_t *sums);

/* Adds to sums[0 .. 3] the same for four filters that start filter_stride elements apart. */
void ps_dot_4_s8(const int8_t *values, int32_t offset, const int8_t *filters, int32_t filter_stride,
                 int32_t count, uint32_t *sums);

/* Returns the sum of values[i] + offset, 0 <= i < count. */
uint32_t ps_sum_s8(const int8_t *values, int32_t offset, int32_t count);

/* Adds to sums[0] the sum of values[i] * filter[i], 0 <= i < count. */
void ps_dot_1_s16(const int16_t *values, const int8_t *filter, int32_t count, int64_t *sums);

/* Adds to sums[0 .. 1] the same for two filters that start filter_stride elements apart. */
void ps_dot_2_s16(const int16_t *values, const int8_t *filters, int32_t filter_stride,
                  int32_t count, int64_t *sums);

#ifdef __cplusplus
}
#endif

#endif
