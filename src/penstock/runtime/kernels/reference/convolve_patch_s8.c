/* One output pixel of an int8 convolution, four output channels together. */
#include <stddef.h>

#include "penstock/dot_product.h"
#include "penstock/fixed_point.h"
#include "penstock/patch.h"

enum { BLOCK = 4 };

/* Sum of the offset inputs of a patch: what a unit of filter offset adds to each channel. */
static uint32_t sum_patch(const ps_patch *patch, const int8_t *input, int32_t input_offset,
                          int32_t channels) {
  const int8_t *row = input + patch->input_start;
  uint32_t sum = 0;
  for (int32_t y = 0; y < patch->rows; ++y) {
    const int8_t *tap = row;
    for (int32_t x = 0; x < patch->columns; ++x) {
      sum += ps_sum_s8(tap, input_offset, channels);
      tap += patch->input_column_step;
    }
    row += patch->input_row_step;
  }
  return sum;
}

/* Adds to sums[0 .. count - 1] the products of a patch with the filters of that many channels,
 * filter_size elements each; count is 1 or BLOCK. */
static void multiply_patch(const ps_patch *patch, const int8_t *input, int32_t input_offset,
                           int32_t channels, const int8_t *filters, int32_t filter_size,
                           int32_t count, uint32_t *sums) {
  /* Taps of a row that are adjacent in both input and filter make one long product. */
  const int adjacent =
      patch->input_column_step == channels && patch->filter_column_step == channels;
  const int32_t runs = adjacent ? 1 : patch->columns;
  const int32_t length = adjacent ? patch->columns * channels : channels;
  const int8_t *row = input + patch->input_start;
  const int8_t *filter_row = filters + patch->filter_start;
  for (int32_t y = 0; y < patch->rows; ++y) {
    const int8_t *run = row;
    const int8_t *filter = filter_row;
    for (int32_t x = 0; x < runs; ++x) {
      if (count == BLOCK) {
        ps_dot_4_s8(run, input_offset, filter, filter_size, length, sums);
      } else {
        ps_dot_1_s8(run, input_offset, filter, length, sums);
      }
      run += patch->input_column_step;
      filter += patch->filter_column_step;
    }
    row += patch->input_row_step;
    filter_row += patch->filter_row_step;
  }
}

void ps_convolve_patch_s8(const ps_conv_2d_params *params, const ps_patch *patch,
                          const int8_t *input, const int8_t *filters, const int32_t *bias,
                          const int32_t *multipliers, const int8_t *shifts, int8_t *output) {
  /* Copies, because stores to output could change params as far as a compiler knows. */
  const int32_t input_offset = params->input_offset;
  const int32_t output_offset = params->output_offset;
  const int32_t low = params->activation_min;
  const int32_t high = params->activation_max;
  const int32_t step = params->multiplier_step;
  const int32_t depth = params->filter_channels;
  const int32_t filter_size = params->filter_height * params->filter_width * depth;
  const int32_t group_channels = params->output_channels / params->groups;
  int32_t channel = 0;
  for (int32_t group = 0; group < params->groups; ++group) {
    const int32_t end = channel + group_channels;
    uint32_t correction = 0;
    if (params->filter_offset != 0) {
      correction = (uint32_t)params->filter_offset * sum_patch(patch, input, input_offset, depth);
    }
    while (channel < end) {
      const int32_t count = end - channel >= BLOCK ? BLOCK : 1;
      uint32_t sums[BLOCK] = {correction, correction, correction, correction};
      if (bias != NULL) {
        for (int32_t lane = 0; lane < count; ++lane) {
          sums[lane] += (uint32_t)bias[channel + lane];
        }
      }
      multiply_patch(patch, input, input_offset, depth, filters, filter_size, count, sums);
      filters += count * filter_size;
      for (int32_t lane = 0; lane < count; ++lane) {
        const int32_t scaled = ps_requantize((int32_t)sums[lane], *multipliers, *shifts);
        output[channel + lane] = (int8_t)ps_offset_and_clamp(scaled, output_offset, low, high);
        multipliers += step;
        shifts += step;
      }
      channel += count;
    }
    input += depth;
  }
}
