/* Convolution by pixels that are widened once and used for all output channels, whatever the form of the
 * filters: each kernel compiles it for its own. Internal to the kernels with the DSP extension. */
#ifndef PENSTOCK_CONVOLVE_WIDENED_H
#define PENSTOCK_CONVOLVE_WIDENED_H

#include "penstock/conv_2d_dsp.h"
#include "penstock/dsp.h"
#include "penstock/dsp_scaling.h"
#include "penstock/multiply_4x2.h"
#include "penstock/widen_pixels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PS_LANES = 4 };

/* A form of filters, in blocks of four output channels. */
typedef struct ps_filter_form {
  int32_t pair_bytes; /* of a block, for each pair of taps */
  /* Writes the words of a block: of each pair of taps one for each channel, offset added. pairs: even. */
  void (*widen)(const uint8_t *block, int32_t offset, int32_t pairs, uint32_t *words);
  /* Adds to four sums the products of a block, nothing added to its filters, with as many pairs of
   * values, of which total is the sum. pairs: even, at least 2. */
  void (*multiply)(const uint32_t *values, int32_t total, const uint8_t *block, int32_t pairs,
                   int32_t *sums);
} ps_filter_form;

/* Computes one block of channels of all pixels in scratch. */
static void multiply_block(ps_block_4x2 *block, int32_t pixels, int32_t lanes, int8_t *spare) {
  const ps_dsp_scaling nothing = {0, 0, 0, 1};
  int8_t *const output = block->output;
  const int32_t step = block->output_step;
  /* A copy, because each two pixels need it again, and it may lie in slow memory. */
  ps_dsp_scaling scaling[PS_LANES];
  int32_t direct;
  for (int32_t lane = 0; lane < PS_LANES; ++lane) {
    scaling[lane] = lane < lanes ? block->scaling[lane] : nothing;
  }
  block->scaling = scaling;
  direct = lanes == PS_LANES ? pixels / 2 : 0;
  if (direct > 0) {
    block->pixel_pairs = direct;
    ps_multiply_4x2(block);
  }
  if (2 * direct < pixels) {
    ps_block_4x2 rest = *block;
    rest.pixels += 2 * direct * block->tap_pairs;
    rest.output = spare;
    rest.output_step = PS_LANES;
    rest.pixel_pairs = (pixels + 1) / 2 - direct;
    ps_multiply_4x2(&rest);
    for (int32_t pixel = 2 * direct; pixel < pixels; ++pixel) {
      for (int32_t lane = 0; lane < lanes; ++lane) {
        output[pixel * step + lane] = spare[lane];
      }
      spare += PS_LANES;
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
  const uint8_t *filters;
  const ps_filter_form *form;
  const ps_dsp_scaling *scaling;
  uint32_t *scratch;
  int32_t tap_pairs;
} layer;

/* Computes all channels of the pixels in scratch, which are adjacent in the output. */
PS_INLINE void multiply_pixels(const layer *of, int32_t pixels, int8_t *output) {
  const ps_conv_2d_params *params = of->params;
  const ps_filter_form form = *of->form;
  const uint8_t *filters = of->filters;
  const int32_t tap_pairs = of->tap_pairs;
  uint32_t *const scratch = of->scratch;
  uint32_t *const words = scratch + PS_LANES * tap_pairs;
  int8_t *const spare = (int8_t *)(words + tap_pairs * params->scratch_pixels + PS_LANES);
  ps_block_4x2 block = {scratch, words, of->scaling, output, params->output_column_stride, tap_pairs, 0};
  for (int32_t channel = 0; channel < params->output_channels; channel += PS_LANES) {
    const int32_t left = params->output_channels - channel;
    form.widen(filters, params->filter_offset, tap_pairs, scratch);
    block.scaling = of->scaling + channel;
    block.output = output + channel;
    multiply_block(&block, pixels, left < PS_LANES ? left : PS_LANES, spare);
    filters += form.pair_bytes * tap_pairs;
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
PS_INLINE void multiply_pixel(const layer *of, int8_t *output) {
  const ps_conv_2d_params *params = of->params;
  const int32_t tap_pairs = of->tap_pairs;
  uint32_t *const words = of->scratch + PS_LANES * tap_pairs;
  const ps_filter_form form = *of->form;
  const uint8_t *filters = of->filters;
  const ps_dsp_scaling *scaling = of->scaling;
  int32_t total = 0;
  for (int32_t k = 0; k < tap_pairs; ++k) {
    words[k] = words[2 * k];
    total = ps_multiply_pairs(words[k], 0x00010001U, total);
  }
  for (int32_t channel = 0; channel < params->output_channels; channel += PS_LANES) {
    const int32_t left = params->output_channels - channel;
    const int32_t lanes = left < PS_LANES ? left : PS_LANES;
    int32_t sums[PS_LANES] = {0, 0, 0, 0};
    for (int32_t lane = 0; lane < lanes; ++lane) {
      sums[lane] = scaling[lane].bias;
    }
    form.multiply(words, total, filters, tap_pairs, sums);
    for (int32_t lane = 0; lane < lanes; ++lane) {
      output[channel + lane] = ps_scale_sum(scaling, sums[lane]);
      ++scaling;
    }
    filters += form.pair_bytes * tap_pairs;
  }
  if (params->activation_min > INT8_MIN || params->activation_max < INT8_MAX) {
    limit_outputs(params, 1, output);
  }
}

/* Convolves as ps_conv_2d_dsp_s8, with filters of a form. */
PS_INLINE void ps_convolve_widened(const ps_conv_2d_params *params, const int8_t *input,
                         const uint8_t *filters, const ps_filter_form *form,
                         const int32_t *scaling, uint32_t *scratch, int8_t *output) {
  const int32_t taps = params->filter_height * params->filter_width * params->filter_channels;
  const int32_t tap_pairs = (taps + 3) / 4 * 2;
  const layer of = {params, filters, form, (const ps_dsp_scaling *)scaling, scratch, tap_pairs};
  for (int32_t n = 0; n < params->batches; ++n) {
    int32_t x = 0;
    int32_t y = 0;
    while (y < params->output_height) {
      const int32_t count = count_adjacent(params, y, x);
      int8_t *first = output + y * params->output_row_stride + x * params->output_column_stride;
      ps_widen_pixels(params, input, y, x, count, scratch + PS_LANES * of.tap_pairs);
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

#ifdef __cplusplus
}
#endif

#endif
