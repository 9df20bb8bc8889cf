/* Sums of products of int16 with int8. */
#include "penstock/dot_product.h"

void ps_dot_1_s16(const int16_t *values, const int8_t *filter, int32_t count, int64_t *sums) {
  const int16_t *const end = values + count;
  int64_t sum = *sums;
  while (values != end) {
    sum += *values++ * *filter++;
  }
  *sums = sum;
}

void ps_dot_2_s16(const int16_t *values, const int8_t *filters, int32_t filter_stride,
                  int32_t count, int64_t *sums) {
  const int16_t *const end = values + count;
  const int8_t *filter_0 = filters;
  const int8_t *filter_1 = filter_0 + filter_stride;
  int64_t sum_0 = sums[0];
  int64_t sum_1 = sums[1];
  while (values != end) {
    const int32_t value = *values++;
    sum_0 += value * *filter_0++;
    sum_1 += value * *filter_1++;
  }
  sums[0] = sum_0;
  sums[1] = sum_1;
}
