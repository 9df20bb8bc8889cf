/* Depthwise convolution of int16 with int8 filters, one output element at a time. */
#include <stddef.h>

#include "penstock/depthwise_conv_2d.h"
#include "penstock/fixed_point.h"
#include "penstock/patch.h"

static int64_t multiply_taps(const ps_patch *patch, const int16_t *input, const int8_t *filters) {
  const int32_t input_step = patch->input_column_step;
  const int32_t filter_step = patch->filter_column_step;
  int64_t sum = 0;
  for (int32_t y = 0; y < patch->rows; ++y) {
    const int16_t *value = input + y * patch->input_row_step;
    const int8_t *filter = filters + y * patch->filter_row_step;
    for (int32_t x = patch->columns; x > 0; --x) {
      sum += *value * *filter;
      value += input_step;
      filter += filter_step;
    }
  }
  return sum;
}

static int32_t requantize(const ps_conv_2d_params *params, int64_t sum, int32_t multiplier,
                          int32_t shift) {
  return params->narrow_sums ? ps_requantize((int32_t)sum, multiplier, shift)
                             : ps_requantize_s64(sum, multiplier, shift);
}

static void convolve_pixel(const ps_conv_2d_params *params, const ps_patch *patch,
                           const int16_t *input, const int8_t *filters, const int64_t *bias,
                           const int32_t *multipliers, const int8_t *shifts, int16_t *output) {
  const int32_t per_input = params->output_channels / params->input_channels;
  for (int32_t channel = 0; channel < params->output_channels; ++channel) {
    const int64_t sum = multiply_taps(patch, input + patch->input_start + channel / per_input,
                                      filters + patch->filter_start + channel);
    const int32_t scaled =
        requantize(params, sum + (bias != NULL ? bias[channel] : 0), *multipliers, *shifts);
    output[channel] = (int16_t)ps_clamp(scaled, params->activation_min, params->activation_max);
    multipliers += params->multiplier_step;
    shifts += params->multiplier_step;
  }
}

void ps_depthwise_conv_2d_s16(const ps_conv_2d_params *params, const int16_t *input,
                              const int8_t *filters, const int64_t *bias,
                              const int32_t *multipliers, const int8_t *shifts, int16_t *output) {
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; ++y) {
      int16_t *pixel = output + y * params->output_row_stride;
      for (int32_t x = 0; x < params->output_width; ++x) {
        const ps_patch patch = ps_locate_patch(params, y, x);
        convolve_pixel(params, &patch, input, filters, bias, multipliers, shifts, pixel);
        pixel += params->output_column_stride;
      }
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
