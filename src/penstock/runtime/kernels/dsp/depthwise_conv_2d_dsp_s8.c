/* Depthwise convolution of int8, channel by channel on rows that are widened once.
 *
 * Four channels of a band of rows are widened to int16, two columns to a word. What a filter covers
 * lies at fixed distances: a column's rows are adjacent, behind them are those of the next channel.
 */
#include "penstock/depthwise_conv_2d_dsp.h"

#include "penstock/depthwise_3x3.h"
#include "penstock/dsp.h"
#include "penstock/dsp_scaling.h"

enum { LANES = 4, ROWS = PS_DEPTHWISE_ROWS, PITCH = PS_DEPTHWISE_PITCH };

/* A band of rows, and where its planes are. */
typedef struct band {
  const ps_conv_2d_params *params;
  const int8_t *input;
  uint32_t *planes;
  int32_t words;     /* of a row in a plane */
  int32_t first_row; /* of the input, may be padding */
  int32_t rows;
  int32_t first_output;
  int32_t outputs; /* rows */
} band;

/* Returns four channels of a pixel. lanes: channels that there are. */
static inline uint32_t load_lanes(const int8_t *pixel, int32_t lanes) {
  uint32_t bytes = 0;
  if (lanes == LANES) {
    return ps_load_word(pixel);
  }
  for (int32_t lane = lanes - 1; lane >= 0; --lane) {
    bytes = bytes << 8 | (uint8_t)pixel[lane];
  }
  return bytes;
}

/* Writes two columns of four channels. */
static inline void write_columns(uint32_t left, uint32_t right, uint32_t *to) {
  const uint32_t left_even = ps_even_bytes(left);
  const uint32_t left_odd = ps_odd_bytes(left);
  const uint32_t right_even = ps_even_bytes(right);
  const uint32_t right_odd = ps_odd_bytes(right);
  to[0] = ps_low_halves(left_even, right_even);
  to[ROWS] = ps_low_halves(left_odd, right_odd);
  to[2 * ROWS] = ps_high_halves(left_even, right_even);
  to[3 * ROWS] = ps_high_halves(left_odd, right_odd);
}

static void widen_padding(const band *in, int32_t words, uint32_t *to) {
  const uint32_t padding = (uint8_t)-in->params->input_offset * 0x01010101U;
  for (; words > 0; --words) {
    write_columns(padding, padding, to);
    to += PITCH;
  }
}

/* Widens four channels of a row. first: of its pixels; lanes: channels that there are. */
static void widen_row(const band *in, const int8_t *first, int32_t lanes, uint32_t *to) {
  const ps_conv_2d_params *params = in->params;
  const uint32_t padding = (uint8_t)-params->input_offset * 0x01010101U;
  const int32_t step = params->input_column_stride;
  const int32_t before = params->padding_left / 2;
  const int32_t odd = params->padding_left % 2;
  int32_t pairs = (params->input_width - odd) / 2;
  int32_t words = in->words - before - odd; /* behind the padding and a pixel that begins in it */
  widen_padding(in, before, to);
  to += before * PITCH;
  if (odd) {
    write_columns(padding, load_lanes(first, lanes), to);
    first += step;
    to += PITCH;
  }
  if (pairs > words) {
    pairs = words;
  }
  words -= pairs;
  if (lanes == LANES) {
    for (; pairs > 0; --pairs) {
      const uint32_t left = ps_load_word(first);
      first += step;
      write_columns(left, ps_load_word(first), to);
      first += step;
      to += PITCH;
    }
  }
  for (; pairs > 0; --pairs) {
    write_columns(load_lanes(first, lanes), load_lanes(first + step, lanes), to);
    first += 2 * step;
    to += PITCH;
  }
  if (words > 0 && (params->input_width - odd) % 2 != 0) {
    write_columns(load_lanes(first, lanes), padding, to);
    to += PITCH;
    --words;
  }
  widen_padding(in, words, to);
}

/* Limits to a range within int8, where it is not all of it. */
static inline int8_t limit(const ps_conv_2d_params *params, int32_t value) {
  if (value < params->activation_min) {
    return (int8_t)params->activation_min;
  }
  return (int8_t)(value > params->activation_max ? params->activation_max : value);
}

/* Convolves one channel with a filter of 3x3. */
static void convolve_3x3(const band *in, const int8_t *filter, const ps_dsp_scaling *scaling,
                         const uint32_t *plane, int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const uint32_t addends = ps_pair(params->filter_offset, params->filter_offset);
  ps_depthwise_rows rows = {0};
  rows.bias = 2 * scaling->bias;
  for (int32_t y = 0; y < 3; ++y) {
    /* The words are taps (0, -, 1, 0) and (2, 1, -, 2). */
    const uint32_t left = ps_widen_even(addends, ps_load_word(filter + 8 * y));
    const uint32_t right = ps_widen_odd(addends, ps_load_word(filter + 8 * y + 4));
    rows.filter[2 * y] = ps_add_pairs(left, left);
    rows.filter[2 * y + 1] = ps_add_pairs(right, right);
  }
  rows.multiplier = scaling->multiplier;
  rows.rounding = scaling->rounding;
  rows.shift = scaling->shift;
  rows.output_step = params->output_column_stride;
  rows.rows = in->outputs;
  rows.columns = plane;
  rows.row_step = 4 * params->stride_height;
  rows.output = output + in->first_output * params->output_row_stride;
  rows.output_row_step = params->output_row_stride;
  rows.width = params->output_width;
  if (params->stride_width == 1) {
    ps_depthwise_3x3(&rows);
  } else {
    ps_depthwise_3x3_stride_2(&rows);
  }
}

/* What the outputs of one channel have in common, for any filter. */
typedef struct row_filter {
  const uint32_t *taps; /* of each word of columns, those where the first is even, then odd */
  int32_t rows;
  int32_t words; /* of a row */
  const ps_dsp_scaling *scaling;
} row_filter;

/* Adds a word of columns times its taps to the sums of two outputs. */
static inline const uint32_t *add_word(const uint32_t *column, const uint32_t *tap, int32_t *sums) {
  sums[0] = ps_multiply_pairs(*column, tap[0], sums[0]);
  sums[1] = ps_multiply_pairs(*column, tap[1], sums[1]);
  return column + PITCH;
}

/* Two outputs beside one another, the first on an even column; words: of the filter. */
PS_INLINE void sum_two(const row_filter *filter, const uint32_t *columns, int32_t words,
                       int32_t *sums) {
  const uint32_t *const end = columns + filter->rows;
  const uint32_t *tap = filter->taps;
  sums[0] = sums[1] = filter->scaling->bias;
  for (; columns != end; ++columns) {
    const uint32_t *column = columns;
    if (words >= 3 && words <= 4) {
      column = add_word(column, tap, sums);
      column = add_word(column, tap + 2, sums);
      column = add_word(column, tap + 4, sums);
      if (words == 4) {
        add_word(column, tap + 6, sums);
      }
    } else {
      for (int32_t word = 0; word < words; ++word) {
        column = add_word(column, tap + 2 * word, sums);
      }
    }
    tap += 2 * words;
  }
}

/* One output; parity: of its first column. */
PS_INLINE int32_t sum_one(const row_filter *filter, const uint32_t *columns, int32_t words,
                          int32_t parity) {
  const uint32_t *const end = columns + filter->rows;
  const uint32_t *tap = filter->taps + parity;
  int32_t sum = filter->scaling->bias;
  for (; columns != end; ++columns) {
    if (words >= 3 && words <= 4) {
      sum = ps_multiply_pairs(columns[0], tap[0], sum);
      sum = ps_multiply_pairs(columns[PITCH], tap[2], sum);
      sum = ps_multiply_pairs(columns[2 * PITCH], tap[4], sum);
      if (words == 4) {
        sum = ps_multiply_pairs(columns[3 * PITCH], tap[6], sum);
      }
    } else {
      for (int32_t word = 0; word < words; ++word) {
        sum = ps_multiply_pairs(columns[word * PITCH], tap[2 * word], sum);
      }
    }
    tap += 2 * words;
  }
  return sum;
}

/* One row of outputs; words is known where this is called, so that loops over them are straight. */
PS_INLINE void convolve_words(const ps_conv_2d_params *params, const row_filter *filter,
                                  const uint32_t *columns, int32_t words, int8_t *output) {
  const int32_t step = params->output_column_stride;
  const int32_t stride = params->stride_width;
  int32_t x = 0;
  if (stride == 1) {
    for (; x + 1 < params->output_width; x += 2) {
      int32_t sums[2];
      sum_two(filter, columns, words, sums);
      columns += PITCH;
      *output = ps_scale_sum(filter->scaling, sums[0]);
      output[step] = ps_scale_sum(filter->scaling, sums[1]);
      output += 2 * step;
    }
    if (x < params->output_width) {
      *output = ps_scale_sum(filter->scaling, sum_one(filter, columns, words, 0));
    }
    return;
  }
  for (; x < params->output_width; ++x) {
    const int32_t left = x * stride;
    const uint32_t *first = columns + (left >> 1) * PITCH;
    *output = ps_scale_sum(filter->scaling, sum_one(filter, first, words, left & 1));
    output += step;
  }
}

static void convolve_row(const ps_conv_2d_params *params, const row_filter *filter,
                         const uint32_t *columns, int8_t *output) {
  if (filter->words == 3) {
    convolve_words(params, filter, columns, 3, output);
  } else if (filter->words == 4) {
    convolve_words(params, filter, columns, 4, output);
  } else {
    convolve_words(params, filter, columns, filter->words, output);
  }
}

static void convolve_channel(const band *in, const int8_t *filter, const ps_dsp_scaling *scaling,
                             const uint32_t *plane, int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const uint32_t addends = ps_pair(params->filter_offset, params->filter_offset);
  const int32_t words = params->filter_height * (params->filter_width / 2 + 1);
  uint32_t taps[2 * PS_DEPTHWISE_WORDS_MAX];
  const ps_dsp_scaling copied = *scaling; /* it may lie in slow memory */
  const row_filter any = {taps, params->filter_height, params->filter_width / 2 + 1, &copied};
  for (int32_t word = 0; word < words; ++word) {
    const uint32_t bytes = ps_load_word(filter + 4 * word);
    taps[2 * word] = ps_widen_even(addends, bytes);
    taps[2 * word + 1] = ps_widen_odd(addends, bytes);
  }
  for (int32_t y = 0; y < in->outputs; ++y) {
    int8_t *row = output + (in->first_output + y) * params->output_row_stride;
    convolve_row(params, &any, plane + y * params->stride_height, row);
  }
}

static void limit_outputs(const band *in, int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  for (int32_t y = 0; y < in->outputs; ++y) {
    int8_t *pixel = output + (in->first_output + y) * params->output_row_stride;
    for (int32_t x = 0; x < params->output_width; ++x) {
      for (int32_t channel = 0; channel < params->output_channels; ++channel) {
        pixel[channel] = limit(params, pixel[channel]);
      }
      pixel += params->output_column_stride;
    }
  }
}

static void convolve_band(const band *in, const int8_t *filters, const ps_dsp_scaling *scaling,
                          int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const int32_t filter_bytes = 4 * params->filter_height * (params->filter_width / 2 + 1);
  const int is_3x3 = params->filter_height == 3 && params->filter_width == 3 &&
                     (params->stride_width == 1 || params->stride_width == 2);
  for (int32_t channel = 0; channel < params->output_channels; channel += LANES) {
    const int32_t left = params->output_channels - channel;
    const int32_t lanes = left < LANES ? left : LANES;
    for (int32_t y = 0; y < in->rows; ++y) {
      const int32_t row = in->first_row + y;
      if (row >= 0 && row < params->input_height) {
        const int8_t *first = in->input + row * params->input_row_stride + channel;
        widen_row(in, first, lanes, in->planes + y);
      } else {
        widen_padding(in, in->words, in->planes + y);
      }
    }
    for (int32_t lane = 0; lane < lanes; ++lane) {
      const uint32_t *plane = in->planes + lane * ROWS;
      if (is_3x3) {
        convolve_3x3(in, filters, scaling, plane, output + channel + lane);
      } else {
        convolve_channel(in, filters, scaling, plane, output + channel + lane);
      }
      filters += filter_bytes;
      ++scaling;
    }
  }
  if (params->activation_min > INT8_MIN || params->activation_max < INT8_MAX) {
    limit_outputs(in, output);
  }
}

void ps_depthwise_conv_2d_dsp_s8(const ps_conv_2d_params *params, const int8_t *input,
                                 const int8_t *filters, const int32_t *scaling, uint32_t *scratch,
                                 int8_t *output) {
  const int32_t seen = (params->output_width - 1) * params->stride_width + params->filter_width;
  const int32_t most = (ROWS - params->filter_height) / params->stride_height + 1;
  band in = {params, input, scratch, seen / 2 + 2, 0, 0, 0, 0};
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; y += most) {
      const int32_t left = params->output_height - y;
      in.first_output = y;
      in.outputs = left < most ? left : most;
      in.first_row = y * params->stride_height - params->padding_top;
      in.rows = (in.outputs - 1) * params->stride_height + params->filter_height;
      convolve_band(&in, filters, (const ps_dsp_scaling *)scaling, output);
    }
    in.input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
