/* Convolution of int8 by pixels that are widened once and used for all output channels. */
#include "penstock/conv_2d_dsp.h"

#include "penstock/dsp.h"
#include "penstock/dsp_scaling.h"
#include "penstock/multiply_4x1.h"
#include "penstock/multiply_4x2.h"

enum { LANES = 4 };

/* Widens count bytes, a multiple of four, to every other word; returns where the next ones go. */
static uint32_t *widen(const int8_t *bytes, int32_t count, uint32_t *words) {
  for (; count >= 16; count -= 16) {
    const uint32_t first = ps_load_word(bytes);
    const uint32_t second = ps_load_word(bytes + 4);
    const uint32_t third = ps_load_word(bytes + 8);
    const uint32_t fourth = ps_load_word(bytes + 12);
    words[0] = ps_even_bytes(first);
    words[2] = ps_odd_bytes(first);
    words[4] = ps_even_bytes(second);
    words[6] = ps_odd_bytes(second);
    words[8] = ps_even_bytes(third);
    words[10] = ps_odd_bytes(third);
    words[12] = ps_even_bytes(fourth);
    words[14] = ps_odd_bytes(fourth);
    words += 16;
    bytes += 16;
  }
  for (; count > 0; count -= 4) {
    const uint32_t word = ps_load_word(bytes);
    words[0] = ps_even_bytes(word);
    words[2] = ps_odd_bytes(word);
    words += 4;
    bytes += 4;
  }
  return words;
}

/* Copies bytes, of which there are few. */
static int8_t *copy(const int8_t *from, int32_t count, int8_t *to) {
  for (; count >= 4; count -= 4) {
    ps_store_word(to, ps_load_word(from));
    from += 4;
    to += 4;
  }
  for (; count > 0; --count) {
    *to++ = *from++;
  }
  return to;
}

static int8_t *fill(int32_t value, int32_t count, int8_t *to) {
  const uint32_t word = (uint8_t)value * 0x01010101U;
  for (; count >= 4; count -= 4) {
    ps_store_word(to, word);
    to += 4;
  }
  for (; count > 0; --count) {
    *to++ = (int8_t)value;
  }
  return to;
}

/* Copies the taps that an output pixel sees in one row of the filter. row: of the input. */
static int8_t *copy_row(const ps_conv_2d_params *params, const int8_t *input, int32_t row,
                        int32_t left, int8_t *to) {
  const int32_t depth = params->input_channels;
  if (row < 0 || row >= params->input_height) {
    return fill(-params->input_offset, params->filter_width * depth, to);
  }
  input += row * params->input_row_stride;
  for (int32_t kx = 0; kx < params->filter_width; ++kx) {
    const int32_t column = left + kx * params->dilation_width;
    if (column < 0 || column >= params->input_width) {
      to = fill(-params->input_offset, depth, to);
    } else {
      to = copy(input + column * params->input_column_stride, depth, to);
    }
  }
  return to;
}

/* Writes the taps that an output pixel sees to every other word. bytes: room for one by one. */
static void write_pixel(const ps_conv_2d_params *params, const int8_t *input, int32_t y, int32_t x,
                        int8_t *bytes, uint32_t *words) {
  const int32_t run = params->filter_width * params->input_channels;
  const int32_t top = y * params->stride_height - params->padding_top;
  const int32_t left = x * params->stride_width - params->padding_left;
  const int is_run = params->dilation_width == 1 && left >= 0 &&
                     left + params->filter_width <= params->input_width &&
                     params->input_column_stride == params->input_channels;
  const int is_direct = is_run && run % 4 == 0 && top >= 0 &&
                        top + (params->filter_height - 1) * params->dilation_height <
                            params->input_height;
  const int32_t step = params->dilation_height * params->input_row_stride;
  int32_t start = top * params->input_row_stride + left * params->input_column_stride;
  int8_t *to = bytes;
  for (int32_t ky = 0; ky < params->filter_height; ++ky) {
    const int32_t row = top + ky * params->dilation_height;
    if (is_direct) {
      words = widen(input + start, run, words);
    } else if (is_run && row >= 0 && row < params->input_height) {
      to = copy(input + start, run, to);
    } else {
      to = copy_row(params, input, row, left, to);
    }
    start += step;
  }
  if (!is_direct) {
    ps_store_word(to, 0);
    widen(bytes, (int32_t)(to - bytes + 3) / 4 * 4, words);
  }
}

/* Writes two pixels of which each sees itself. */
static void write_two_points(const int8_t *first, int32_t step, int32_t depth, uint32_t *words) {
  const int8_t *second = first + step;
  for (; depth > 0; depth -= 4) {
    const uint32_t left = ps_load_word(first);
    const uint32_t right = ps_load_word(second);
    first += 4;
    second += 4;
    words[0] = ps_even_bytes(left);
    words[1] = ps_even_bytes(right);
    words[2] = ps_odd_bytes(left);
    words[3] = ps_odd_bytes(right);
    words += 4;
  }
}

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
    for (int32_t channel = 0; channel < params->output_channels; ++channel) {
      if (output[channel] < params->activation_min) {
        output[channel] = (int8_t)params->activation_min;
      } else if (output[channel] > params->activation_max) {
        output[channel] = (int8_t)params->activation_max;
      }
    }
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

static void write_pixels(const layer *of, const int8_t *input, int32_t y, int32_t x,
                         int32_t count) {
  const ps_conv_2d_params *params = of->params;
  const int32_t tap_pairs = of->tap_pairs;
  uint32_t *words = of->scratch + LANES * tap_pairs;
  int8_t *bytes = (int8_t *)(words + tap_pairs * params->scratch_pixels + LANES);
  const int32_t step = params->input_column_stride;
  const int is_point = params->filter_height * params->filter_width == 1 &&
                       params->stride_width == 1 && params->input_channels % 4 == 0 &&
                       params->padding_left + params->padding_top == 0;
  for (int32_t held = 0; held < count; ++held) {
    if (is_point && held % 2 == 0 && held + 1 < count && x + 1 < params->output_width) {
      write_two_points(input + y * params->stride_height * params->input_row_stride + x * step,
                       step, params->input_channels, words);
      ++held;
      ++x;
    } else {
      write_pixel(params, input, y, x, bytes, words + held % 2);
    }
    if (held % 2 != 0) {
      words += 2 * tap_pairs;
    }
    if (++x == params->output_width) {
      x = 0;
      ++y;
    }
  }
  if (count % 2 != 0) {
    /* The last pixel has none beside it: it is computed twice. */
    for (int32_t k = 0; k < tap_pairs; ++k) {
      words[2 * k + 1] = words[2 * k];
    }
    words += 2 * tap_pairs;
  }
  words[0] = 0; /* loaded ahead, and not used */
  words[1] = 0;
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
      write_pixels(&of, input, y, x, count);
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
