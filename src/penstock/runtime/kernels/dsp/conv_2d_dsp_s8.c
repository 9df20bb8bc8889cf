/* Convolution of int8 by pixels that are widened once and used for all output channels. */
#include "penstock/conv_2d_dsp.h"

#include "penstock/dsp.h"
#include "penstock/dsp_scaling.h"
#include "penstock/multiply_4x1.h"
#include "penstock/multiply_4x2.h"
#include "penstock/widen_pixels.h"

enum { LANES = 4 };

/* Writes the words of a block of filters. tap_pairs: even. */
static void widen_filters(const int8_t *filters, int32_t offset, int32_t tap_pairs,
                          uint32_t *words) {
  const uint32_t addends = ps_pair(offset, offset);
  for (; tap_pairs > 0; tap_pairs -= 2) {
    const uint32_t first = ps_load_word(filters);
    const uint32_t second = ps_load_word(filters + 4);
    const uint32_t third = ps_load_word(filters + 8);
    const uint32_t fourth = ps_load_word(filters + 12);
    words[0] = ps_widen_even(addends, first);
    words[1] = ps_widen_odd(addends, first);
    words[2] = ps_widen_even(addends, second);
    words[3] = ps_widen_odd(addends, second);
    words[4] = ps_widen_even(addends, third);
    words[5] = ps_widen_odd(addends, third);
    words[6] = ps_widen_even(addends, fourth);
    words[7] = ps_widen_odd(addends, fourth);
    words += 8;
    filters += 16;
  }
}

/* Computes one block of channels of all pixels in scratch. */
static void multiply_block(ps_block_4x2 *block, int32_t pixels, int32_t lanes, int8_t *spare) {
  const ps_dsp_scaling nothing = {0, 0, 0, 1};
  int8_t *const output = block->output;
  const int32_t step = block->output_step;
  /* A copy, because each two pixels need it again, and it may lie in slow memory. */
  ps_dsp_scaling scaling[LANES];
  int32_t direct;
  for (int32_t lane = 0; lane < LANES; ++lane) {
    scaling[lane] = lane < lanes ? block->scaling[lane] : nothing;
  }
  block->scaling = scaling;
  direct = lanes == LANES ? pixels / 2 : 0;
  if (direct > 0) {
    block->pixel_pairs = direct;
    ps_multiply_4x2(block);
  }
  if (2 * direct < pixels) {
    ps_block_4x2 rest = *block;
    rest.pixels += 2 * direct * block->tap_pairs;
    rest.output = spare;
    rest.output_step = LANES;
    rest.pixel_pairs = (pixels + 1) / 2 - direct;
    ps_multiply_4x2(&rest);
    for (int32_t pixel = 2 * direct; pixel < pixels; ++pixel) {
      for (int32_t lane = 0; lane < lanes; ++lane) {
        output[pixel * step + lane] = spare[lane];
      }
      spare += LANES;
    }
  }
}

static void limit_outputs(const ps_conv_2d_params *params, int32_t pixels, int8_t *output) {
  for (int32_t pixel = 0; pixel < pixels; ++pixel) {
    ps_limit_pixel(params, output);
    output += params->output_column_stride;
  }
}

/* What does not change from pixel to pixel. */
typedef struct layer {
  const ps_conv_2d_params *params;
  const int8_t *filters;
  const ps_dsp_scaling *scaling;
  uint32_t *scratch;
  int32_t tap_pairs;
} layer;

/* Computes all channels of the pixels in scratch, which are adjacent in the output. */
static void multiply_pixels(const layer *of, int32_t pixels, int8_t *output) {
  const ps_conv_2d_params *params = of->params;
  const int8_t *filters = of->filters;
  const int32_t tap_pairs = of->tap_pairs;
  uint32_t *const scratch = of->scratch;
  uint32_t *const words = scratch + LANES * tap_pairs;
  int8_t *const spare = (int8_t *)(words + tap_pairs * params->scratch_pixels + LANES);
  ps_block_4x2 block = {scratch, words, of->scaling, output, params->output_column_stride, tap_pairs, 0};
  for (int32_t channel = 0; channel < params->output_channels; channel += LANES) {
    const int32_t left = params->output_channels - channel;
    widen_filters(filters, params->filter_offset, tap_pairs, scratch);
    block.scaling = of->scaling + channel;
    block.output = output + channel;
    multiply_block(&block, pixels, left < LANES ? left : LANES, spare);
    filters += 2 * LANES * tap_pairs;
  }
  if (params->activation_min > INT8_MIN || params->activation_max < INT8_MAX) {
    limit_outputs(params, pixels, output);
  }
}

/* Output pixels from one on that are adjacent in memory, at most as many as scratch holds. */
static int32_t count_adjacent(const ps_conv_2d_params *params, int32_t y, int32_t x) {
  const int is_dense =
      params->output_row_stride == params->output_width * params->output_column_stride;
  const int32_t rows = is_dense ? params->output_height - y : 1;
  const int32_t count = rows * params->output_width - x;
  return count < params->scratch_pixels ? count : params->scratch_pixels;
}

/* Computes all channels of the one pixel in scratch: filters are not worth widening. */
static void multiply_pixel(const layer *of, int8_t *output) {
  const ps_conv_2d_params *params = of->params;
  const int32_t tap_pairs = of->tap_pairs;
  uint32_t *const words = of->scratch + LANES * tap_pairs;
  const int8_t *filters = of->filters;
  const ps_dsp_scaling *scaling = of->scaling;
  for (int32_t k = 0; k < tap_pairs; ++k) {
    words[k] = words[2 * k];
  }
  for (int32_t channel = 0; channel < params->output_channels; channel += LANES) {
    const int32_t left = params->output_channels - channel;
    const int32_t lanes = left < LANES ? left : LANES;
    int32_t sums[LANES] = {0, 0, 0, 0};
    for (int32_t lane = 0; lane < lanes; ++lane) {
      sums[lane] = scaling[lane].bias;
    }
    ps_multiply_4x1(words, filters, tap_pairs, sums);
    for (int32_t lane = 0; lane < lanes; ++lane) {
      output[channel + lane] = ps_scale_sum(scaling, sums[lane]);
      ++scaling;
    }
    filters += 2 * LANES * tap_pairs;
  }
  if (params->activation_min > INT8_MIN || params->activation_max < INT8_MAX) {
    limit_outputs(params, 1, output);
  }
}

void ps_conv_2d_dsp_s8(const ps_conv_2d_params *params, const int8_t *input, const int8_t *filters,
                       const int32_t *scaling, uint32_t *scratch, int8_t *output) {
  const int32_t taps = params->filter_height * params->filter_width * params->filter_channels;
  const layer of = {params, filters, (const ps_dsp_scaling *)scaling, scratch, (taps + 3) / 4 * 2};
  for (int32_t n = 0; n < params->batches; ++n) {
    int32_t x = 0;
    int32_t y = 0;
    while (y < params->output_height) {
      const int32_t count = count_adjacent(params, y, x);
      int8_t *first = output + y * params->output_row_stride + x * params->output_column_stride;
      ps_widen_pixels(params, input, y, x, count, scratch + LANES * of.tap_pairs);
      if (count == 1 && params->filter_offset == 0) {
        multiply_pixel(&of, first);
      } else {
        multiply_pixels(&of, count, first);
      }
      x += count;
      y += x / params->output_width;
      x %= params->output_width;
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
