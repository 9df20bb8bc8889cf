/* One output pixel of an int16 convolution with int8 filters, two output channels together. */
#include <stddef.h>

#include "penstock/dot_product.h"
#include "penstock/fixed_point.h"
#include "penstock/patch.h"

enum { BLOCK = 2 };

/* Adds to sums[0 .. count - 1] the products of a patch with the filters of that many channels,
 * filter_size elements each; count is 1 or BLOCK. */
static void multiply_patch(const ps_patch *patch, const int16_t *input, int32_t channels,
                           const int8_t *filters, int32_t filter_size, int32_t count,
                           int64_t *sums) {
  /* Taps of a row that are adjacent in both input and filter make one long product. */
  const int adjacent =
      patch->input_column_step == channels && patch->filter_column_step == channels;
  const int32_t runs = adjacent ? 1 : patch->columns;
  const int32_t length = adjacent ? patch->columns * channels : channels;
  const int16_t *row = input + patch->input_start;
  const int8_t *filter_row = filters + patch->filter_start;
  for (int32_t y = 0; y < patch->rows; ++y) {
    const int16_t *run = row;
    const int8_t *filter = filter_row;
    for (int32_t x = 0; x < runs; ++x) {
      if (count == BLOCK) {
        ps_dot_2_s16(run, filter, filter_size, length, sums);
      } else {
        ps_dot_1_s16(run, filter, length, sums);
      }
      run += patch->input_column_step;
      filter += patch->filter_column_step;
    }
    row += patch->input_row_step;
    filter_row += patch->filter_row_step;
  }
}

static int32_t requantize(const ps_conv_2d_params *params, int64_t sum, int32_t multiplier,
                          int32_t shift) {
  return params->narrow_sums ? ps_requantize((int32_t)sum, multiplier, shift)
                             : ps_requantize_s64(sum, multiplier, shift);
}

void ps_convolve_patch_s16(const ps_conv_2d_params *params, const ps_patch *patch,
                           const int16_t *input, const int8_t *filters, const int64_t *bias,
                           const int32_t *multipliers, const int8_t *shifts, int16_t *output) {
  const int32_t depth = params->filter_channels;
  const int32_t filter_size = params->filter_height * params->filter_width * depth;
  const int32_t group_channels = params->output_channels / params->groups;
  int32_t channel = 0;
  for (int32_t group = 0; group < params->groups; ++group) {
    const int32_t end = channel + group_channels;
    while (channel < end) {
      const int32_t count = end - channel >= BLOCK ? BLOCK : 1;
      int64_t sums[BLOCK];
      for (int32_t lane = 0; lane < count; ++lane) {
        sums[lane] = bias != NULL ? bias[channel + lane] : 0;
      }
      multiply_patch(patch, input, depth, filters + channel * filter_size, filter_size, count,
                     sums);
      for (int32_t lane = 0; lane < count; ++lane, ++channel) {
        const int32_t scaled = requantize(params, sums[lane], *multipliers, *shifts);
        output[channel] = (int16_t)ps_clamp(scaled, params->activation_min, params->activation_max);
        multipliers += params->multiplier_step;
        shifts += params->multiplier_step;
      }
    }
    input += depth;
  }
}
