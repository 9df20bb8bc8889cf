/* Convolution of int8 with filters without their zeros, eight output pixels at a time. */
#include "penstock/conv_2d_sparse_dsp.h"

#include <string.h>

#include "penstock/dot_sparse.h"
#include "penstock/dsp.h"
#include "penstock/dsp_scaling.h"
#include "penstock/fixed_point.h"
#include "penstock/gather_pixel.h"
#include "penstock/multiply_sparse.h"
#include "penstock/sparse_filters.h"

enum { PIXELS = PS_SPARSE_PIXELS };
enum { ROW_WORDS = PIXELS / 2 };

/* Writes what two pixels see, side by side: a word of each row. */
static void widen_two(const int8_t *first, const int8_t *second, int32_t taps, uint32_t *rows) {
  for (; taps >= 4; taps -= 4) {
    const uint32_t left = ps_load_word(first);
    const uint32_t right = ps_load_word(second);
    const uint32_t left_even = ps_even_bytes(left);
    const uint32_t left_odd = ps_odd_bytes(left);
    const uint32_t right_even = ps_even_bytes(right);
    const uint32_t right_odd = ps_odd_bytes(right);
    rows[0] = ps_low_halves(left_even, right_even);
    rows[ROW_WORDS] = ps_low_halves(left_odd, right_odd);
    rows[2 * ROW_WORDS] = ps_high_halves(left_even, right_even);
    rows[3 * ROW_WORDS] = ps_high_halves(left_odd, right_odd);
    rows += 4 * ROW_WORDS;
    first += 4;
    second += 4;
  }
  for (; taps > 0; --taps) {
    *rows = ps_pair(*first++, *second++);
    rows += ROW_WORDS;
  }
}

/* Output pixels from one on that are adjacent in memory, at most as many as are computed together. */
static int32_t count_adjacent(const ps_conv_2d_params *params, int32_t y, int32_t x) {
  const int is_dense =
      params->output_row_stride == params->output_width * params->output_column_stride;
  const int32_t rows = is_dense ? params->output_height - y : 1;
  const int32_t count = rows * params->output_width - x;
  return count < PIXELS ? count : PIXELS;
}

/* What does not change from pixel to pixel. */
typedef struct layer {
  const ps_conv_2d_params *params;
  const uint8_t *filters;
  const ps_dsp_scaling *scaling;
  uint32_t *rows;
  int8_t *spare;
  int32_t taps;
} layer;

/* Widens what pixels see; where there are fewer than eight, the last one stands for the others. */
static void widen_pixels(const layer *of, const int8_t *input, int32_t y, int32_t x,
                         int32_t count) {
  const ps_conv_2d_params *params = of->params;
  const int8_t *seen[PIXELS];
  for (int32_t pixel = 0; pixel < count; ++pixel) {
    int8_t *const own = of->spare + pixel * ((of->taps + 3) & ~3);
    seen[pixel] = ps_gather_pixel(params, input, y, x, own);
    x += 1;
    if (x == params->output_width) {
      x = 0;
      y += 1;
    }
  }
  for (int32_t pixel = count; pixel < PIXELS; ++pixel) {
    seen[pixel] = seen[count - 1];
  }
  for (int32_t pixel = 0; pixel < PIXELS; pixel += 2) {
    widen_two(seen[pixel], seen[pixel + 1], of->taps, of->rows + pixel / 2);
  }
}

static void copy_outputs(const ps_conv_2d_params *params, const int8_t *from, int32_t count,
                         int8_t *output) {
  for (int32_t pixel = 0; pixel < count; ++pixel) {
    memcpy(output, from, (size_t)params->output_channels);
    output += params->output_column_stride;
    from += params->output_channels;
  }
}

/* Computes all channels of pixels, which are adjacent in the output. */
static void multiply_pixels(const layer *of, int32_t count, int8_t *output) {
  const ps_conv_2d_params *params = of->params;
  const int32_t channels = params->output_channels;
  ps_sparse_block block = {of->filters, of->rows, of->scaling, output,
                           params->output_column_stride, channels};
  if (count < PIXELS) {
    block.output = of->spare;
    block.output_step = channels;
  }
  ps_multiply_sparse(&block);
  if (count < PIXELS) {
    copy_outputs(params, of->spare, count, output);
  }
}

/* Computes all channels of one pixel, which is not worth widening. */
static void multiply_pixel(const layer *of, const int8_t *taps, int8_t *output) {
  const ps_dsp_scaling *scaling = of->scaling;
  const uint8_t *filters = of->filters;
  for (int32_t channel = 0; channel < of->params->output_channels; ++channel) {
    const int32_t sum = ps_dot_sparse(filters, taps);
    output[channel] = ps_scale_sum(scaling, ps_add_wrapping(sum, scaling->bias));
    filters = ps_sparse_next(filters);
    ++scaling;
  }
}

static void limit_outputs(const ps_conv_2d_params *params, int32_t pixels, int8_t *output) {
  for (int32_t pixel = 0; pixel < pixels; ++pixel) {
    ps_limit_pixel(params, output);
    output += params->output_column_stride;
  }
}

void ps_conv_2d_sparse_dsp_s8(const ps_conv_2d_params *params, const int8_t *input,
                              const uint8_t *filters, const int32_t *scaling, uint32_t *scratch,
                              int8_t *output) {
  const int32_t taps = params->filter_height * params->filter_width * params->filter_channels;
  const int is_limited = params->activation_min > INT8_MIN || params->activation_max < INT8_MAX;
  int8_t *const spare = (int8_t *)(scratch + ROW_WORDS * ((taps + 3) & ~3));
  const layer of = {params, filters, (const ps_dsp_scaling *)scaling, scratch, spare, taps};
  for (int32_t n = 0; n < params->batches; ++n) {
    int32_t x = 0;
    int32_t y = 0;
    while (y < params->output_height) {
      const int32_t count = count_adjacent(params, y, x);
      int8_t *first = output + y * params->output_row_stride + x * params->output_column_stride;
      if (count == 1) {
        multiply_pixel(&of, ps_gather_pixel(params, input, y, x, spare), first);
      } else {
        widen_pixels(&of, input, y, x, count);
        multiply_pixels(&of, count, first);
      }
      if (is_limited) {
        limit_outputs(params, count, first);
      }
      x += count;
      y += x / params->output_width;
      x %= params->output_width;
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
