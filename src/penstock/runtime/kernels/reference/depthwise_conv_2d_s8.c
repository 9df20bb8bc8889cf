/* Depthwise convolution of int8, four output channels together where their inputs allow it. */
#include "penstock/depthwise_conv_2d.h"

#include <stddef.h>

#include "penstock/fixed_point.h"
#include "penstock/patch.h"

enum { BLOCK = 4 };

/* Sum of the offset inputs of one channel: what a unit of filter offset adds. */
static uint32_t sum_taps(const ps_patch *patch, const int8_t *input, int32_t input_offset) {
  uint32_t sum = 0;
  for (int32_t y = 0; y < patch->rows; ++y) {
    const int8_t *value = input + y * patch->input_row_step;
    for (int32_t x = 0; x < patch->columns; ++x) {
      sum += (uint32_t)(*value + input_offset);
      value += patch->input_column_step;
    }
  }
  return sum;
}

/* Output channels, 1 or BLOCK, that can be computed together from this one on. */
static int32_t choose_block(const ps_conv_2d_params *params, int32_t channel, int32_t per_input) {
  const int32_t left = params->output_channels - channel;
  return left >= BLOCK && (per_input == 1 || per_input % BLOCK == 0) ? BLOCK : 1;
}

static void multiply_taps(const ps_patch *patch, const int8_t *input, int32_t input_offset,
                          const int8_t *filters, int32_t count, int32_t per_input, uint32_t *sums) {
  if (count == 1) {
    ps_multiply_taps_1_s8(patch, input, input_offset, filters, sums);
  } else if (per_input == 1) {
    ps_multiply_taps_4_s8(patch, input, input_offset, filters, sums);
  } else {
    ps_multiply_taps_shared_4_s8(patch, input, input_offset, filters, sums);
  }
}

/* Adds to sums what the filters' zero point contributes. */
static void correct_sums(const ps_conv_2d_params *params, const ps_patch *patch,
                         const int8_t *input, int32_t count, int32_t per_input, uint32_t *sums) {
  for (int32_t lane = 0; lane < count; ++lane) {
    const int8_t *taps = input + (per_input == 1 ? lane : 0);
    sums[lane] += (uint32_t)params->filter_offset * sum_taps(patch, taps, params->input_offset);
  }
}

static void convolve_pixel(const ps_conv_2d_params *params, const ps_patch *patch,
                           const int8_t *input, const int8_t *filters, const int32_t *bias,
                           const int32_t *multipliers, const int8_t *shifts, int8_t *output) {
  /* Copies, because stores to output could change params as far as a compiler knows. */
  const int32_t input_offset = params->input_offset;
  const int32_t output_offset = params->output_offset;
  const int32_t low = params->activation_min;
  const int32_t high = params->activation_max;
  const int32_t step = params->multiplier_step;
  const int32_t per_input = params->output_channels / params->input_channels;
  int32_t channel = 0;
  while (channel < params->output_channels) {
    const int32_t count = choose_block(params, channel, per_input);
    const int8_t *source = input + patch->input_start + channel / per_input;
    uint32_t sums[BLOCK] = {0, 0, 0, 0};
    if (bias != NULL) {
      for (int32_t lane = 0; lane < count; ++lane) {
        sums[lane] = (uint32_t)bias[channel + lane];
      }
    }
    if (params->filter_offset != 0) {
      correct_sums(params, patch, source, count, per_input, sums);
    }
    multiply_taps(patch, source, input_offset, filters + patch->filter_start + channel, count,
                  per_input, sums);
    for (int32_t lane = 0; lane < count; ++lane) {
      const int32_t scaled = ps_requantize((int32_t)sums[lane], *multipliers, *shifts);
      output[channel + lane] = (int8_t)ps_offset_and_clamp(scaled, output_offset, low, high);
      multipliers += step;
      shifts += step;
    }
    channel += count;
  }
}

void ps_depthwise_conv_2d_s8(const ps_conv_2d_params *params, const int8_t *input,
                             const int8_t *filters, const int32_t *bias, const int32_t *multipliers,
                             const int8_t *shifts, int8_t *output) {
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; ++y) {
      int8_t *pixel = output + y * params->output_row_stride;
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
