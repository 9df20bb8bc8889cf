/* Sums of products of int8. */
#include "penstock/dot_product.h"

void ps_dot_1_s8(const int8_t *values, int32_t offset, const int8_t *filter, int32_t count,
                 uint32_t *sums) {
  const int8_t *const end = values + count;
  uint32_t sum = *sums;
  while (values != end) {
    sum += (uint32_t)((*values++ + offset) * *filter++);
  }
  *sums = sum;
}

void ps_dot_4_s8(const int8_t *values, int32_t offset, const int8_t *filters, int32_t filter_stride,
                 int32_t count, uint32_t *sums) {
  const int8_t *const end = values + count;
  const int8_t *filter_0 = filters;
  const int8_t *filter_1 = filter_0 + filter_stride;
  const int8_t *filter_2 = filter_1 + filter_stride;
  const int8_t *filter_3 = filter_2 + filter_stride;
  uint32_t sum_0 = sums[0];
  uint32_t sum_1 = sums[1];
  uint32_t sum_2 = sums[2];
  uint32_t sum_3 = sums[3];
  while (values != end) {
    const int32_t value = *values++ + offset;
    sum_0 += (uint32_t)(value * *filter_0++);
    sum_1 += (uint32_t)(value * *filter_1++);
    sum_2 += (uint32_t)(value * *filter_2++);
    sum_3 += (uint32_t)(value * *filter_3++);
  }
  sums[0] = sum_0;
  sums[1] = sum_1;
  sums[2] = sum_2;
  sums[3] = sum_3;
}

uint32_t ps_sum_s8(const int8_t *values, int32_t offset, int32_t count) {
  const int8_t *const end = values + count;
  uint32_t sum = 0;
  while (values != end) {
    sum += (uint32_t)(*values++ + offset);
  }
  return sum;
}
