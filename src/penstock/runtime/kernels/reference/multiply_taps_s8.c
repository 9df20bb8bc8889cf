/* Products of the taps of a depthwise convolution. */
#include "penstock/patch.h"

void ps_multiply_taps_1_s8(const ps_patch *patch, const int8_t *input, int32_t input_offset,
                           const int8_t *filters, uint32_t *sums) {
  const int32_t input_step = patch->input_column_step;
  const int32_t filter_step = patch->filter_column_step;
  uint32_t sum = sums[0];
  for (int32_t y = 0; y < patch->rows; ++y) {
    const int8_t *value = input + y * patch->input_row_step;
    const int8_t *filter = filters + y * patch->filter_row_step;
    for (int32_t x = patch->columns; x > 0; --x) {
      sum += (uint32_t)((*value + input_offset) * *filter);
      value += input_step;
      filter += filter_step;
    }
  }
  sums[0] = sum;
}

void ps_multiply_taps_4_s8(const ps_patch *patch, const int8_t *input, int32_t input_offset,
                           const int8_t *filters, uint32_t *sums) {
  const int32_t input_step = patch->input_column_step;
  const int32_t filter_step = patch->filter_column_step;
  uint32_t sum_0 = sums[0];
  uint32_t sum_1 = sums[1];
  uint32_t sum_2 = sums[2];
  uint32_t sum_3 = sums[3];
  for (int32_t y = 0; y < patch->rows; ++y) {
    const int8_t *value = input + y * patch->input_row_step;
    const int8_t *filter = filters + y * patch->filter_row_step;
    for (int32_t x = patch->columns; x > 0; --x) {
      sum_0 += (uint32_t)((value[0] + input_offset) * filter[0]);
      sum_1 += (uint32_t)((value[1] + input_offset) * filter[1]);
      sum_2 += (uint32_t)((value[2] + input_offset) * filter[2]);
      sum_3 += (uint32_t)((value[3] + input_offset) * filter[3]);
      value += input_step;
      filter += filter_step;
    }
  }
  sums[0] = sum_0;
  sums[1] = sum_1;
  sums[2] = sum_2;
  sums[3] = sum_3;
}

void ps_multiply_taps_shared_4_s8(const ps_patch *patch, const int8_t *input, int32_t input_offset,
                                  const int8_t *filters, uint32_t *sums) {
  const int32_t input_step = patch->input_column_step;
  const int32_t filter_step = patch->filter_column_step;
  uint32_t sum_0 = sums[0];
  uint32_t sum_1 = sums[1];
  uint32_t sum_2 = sums[2];
  uint32_t sum_3 = sums[3];
  for (int32_t y = 0; y < patch->rows; ++y) {
    const int8_t *tap = input + y * patch->input_row_step;
    const int8_t *filter = filters + y * patch->filter_row_step;
    for (int32_t x = patch->columns; x > 0; --x) {
      const int32_t value = *tap + input_offset;
      sum_0 += (uint32_t)(value * filter[0]);
      sum_1 += (uint32_t)(value * filter[1]);
      sum_2 += (uint32_t)(value * filter[2]);
      sum_3 += (uint32_t)(value * filter[3]);
      tap += input_step;
      filter += filter_step;
    }
  }
  sums[0] = sum_0;
  sums[1] = sum_1;
  sums[2] = sum_2;
  sums[3] = sum_3;
}
