/* Depthwise convolution of int8, channel by channel on rows that are widened once.
 *
 * Four or eight channels of a band of rows are widened to int16, two columns to a word. What a filter
 * covers lies at fixed distances: a column's rows are adjacent, behind them are those of the next
 * channel.
 */
#include "penstock/depthwise_conv_2d_dsp.h"

#include "penstock/depthwise_3x3.h"
#include "penstock/dsp.h"
#include "penstock/dsp_scaling.h"

enum { LANES = 4, PITCH = PS_DEPTHWISE_PITCH };

/* A band of rows, and where its planes are. */
typedef struct band {
  const ps_conv_2d_params *params;
  const int8_t *input;
  uint32_t *planes;
  int32_t plane_rows; /* words from one channel to the next: 16, or 8 for twice as many channels */
  int32_t words;      /* of a row in a plane */
  int32_t first_row;  /* of the input, may be padding */
  int32_t rows;
  int32_t first_output;
  int32_t outputs; /* rows */
} band;

/* Returns four channels of a pixel. lanes: channels that there are. */
static inline uint32_t load_lanes(const int8_t *pixel, int32_t lanes) {
  uint32_t bytes = 0;
  if (lanes >= LANES) {
    return ps_load_word(pixel);
  }
  for (int32_t lane = lanes - 1; lane >= 0; --lane) {
    bytes = bytes << 8 | (uint8_t)pixel[lane];
  }
  return bytes;
}

/* Writes two columns of four channels. rows: of a plane. */
PS_INLINE void write_columns(uint32_t left, uint32_t right, int32_t rows, uint32_t *to) {
  const uint32_t left_even = ps_even_bytes(left);
  const uint32_t left_odd = ps_odd_bytes(left);
  const uint32_t right_even = ps_even_bytes(right);
  const uint32_t right_odd = ps_odd_bytes(right);
  to[0] = ps_low_halves(left_even, right_even);
  to[rows] = ps_low_halves(left_odd, right_odd);
  to[2 * rows] = ps_high_halves(left_even, right_even);
  to[3 * rows] = ps_high_halves(left_odd, right_odd);
}

/* Writes two columns of any channels; a pixel that is 0 is padding. */
PS_INLINE void write_pixels(const band *in, const int8_t *left, const int8_t *right, int32_t lanes,
                            uint32_t *to) {
  const uint32_t padding = (uint8_t)-in->params->input_offset * 0x01010101U;
  const int32_t rows = in->plane_rows;
  for (; lanes > 0; lanes -= LANES) {
    uint32_t first = padding;
    uint32_t second = padding;
    if (left != 0) {
      first = load_lanes(left, lanes);
      left += LANES;
    }
    if (right != 0) {
      second = load_lanes(right, lanes);
      right += LANES;
    }
    write_columns(first, second, rows, to);
    to += LANES * rows;
  }
}

/* Fills columns of a row with padding, which is the same for all channels. */
static void fill_padding(const band *in, int32_t words, uint32_t *to) {
  const uint32_t padding = ps_pair(-in->params->input_offset, -in->params->input_offset);
  for (; words > 0; --words) {
    for (int32_t plane = 0; plane < PITCH; plane += in->plane_rows) {
      to[plane] = padding;
    }
    to += PITCH;
  }
}

/* Widens the channels of pairs of pixels that planes have room for. */
PS_INLINE uint32_t *widen_pairs(const int8_t *first, int32_t step, int32_t pairs, int32_t plane_rows,
                                uint32_t *to) {
  for (; pairs > 0; --pairs) {
    write_columns(ps_load_word(first), ps_load_word(first + step), plane_rows, to);
    if (plane_rows == PS_DEPTHWISE_ROWS / 2) {
      write_columns(ps_load_word(first + LANES), ps_load_word(first + step + LANES), plane_rows,
                    to + LANES * plane_rows);
    }
    first += 2 * step;
    to += PITCH;
  }
  return to;
}

/* Where the words of a row come from, but for padding before and behind. */
typedef struct row_layout {
  int32_t before;   /* words of padding */
  int32_t has_odd;  /* then one with padding and the first pixel */
  int32_t pairs;    /* then two pixels each */
  int32_t has_last; /* then one with the last pixel and padding */
  int32_t behind;   /* then words of padding */
} row_layout;

static row_layout lay_out_row(const band *in) {
  const ps_conv_2d_params *params = in->params;
  row_layout out;
  int32_t words = in->words;
  /* Outputs may see nothing but padding, and not even all of that. */
  out.before = params->padding_left / 2 < words ? params->padding_left / 2 : words;
  out.has_odd = params->padding_left % 2 != 0 && out.before < words;
  words -= out.before + out.has_odd;
  out.pairs = (params->input_width - out.has_odd) / 2;
  out.pairs = out.pairs < words ? out.pairs : words;
  words -= out.pairs;
  out.has_last = words > 0 && (params->input_width - out.has_odd) % 2 != 0;
  out.behind = words - out.has_last;
  return out;
}

/* Fills what is padding in all rows of a band. */
static void fill_band(const band *in, const row_layout *row) {
  for (int32_t y = 0; y < in->rows; ++y) {
    uint32_t *const to = in->planes + y;
    if (in->first_row + y < 0 || in->first_row + y >= in->params->input_height) {
      fill_padding(in, in->words, to);
    } else {
      fill_padding(in, row->before, to);
      fill_padding(in, row->behind, to + (in->words - row->behind) * PITCH);
    }
  }
}

/* Widens some channels of the rows of a band. lanes: channels that there are. */
static void widen_rows(const band *in, const row_layout *row, const int8_t *input, int32_t lanes) {
  const int32_t step = in->params->input_column_stride;
  const int32_t row_step = in->params->input_row_stride;
  const int32_t top = in->first_row < 0 ? -in->first_row : 0;
  const int32_t below = in->params->input_height - in->first_row;
  const int32_t end = below < in->rows ? below : in->rows;
  const int8_t *start = input + (in->first_row + top) * row_step;
  for (int32_t y = top; y < end; ++y) {
    const int8_t *first = start;
    uint32_t *to = in->planes + row->before * PITCH + y;
    if (row->has_odd) {
      write_pixels(in, 0, first, lanes, to);
      first += step;
      to += PITCH;
    }
    if (lanes * in->plane_rows < PITCH) {
      for (int32_t pair = 0; pair < row->pairs; ++pair) {
        write_pixels(in, first + 2 * pair * step, first + (2 * pair + 1) * step, lanes, to);
        to += PITCH;
      }
    } else if (in->plane_rows == PS_DEPTHWISE_ROWS) {
      to = widen_pairs(first, step, row->pairs, PS_DEPTHWISE_ROWS, to);
    } else {
      to = widen_pairs(first, step, row->pairs, PS_DEPTHWISE_ROWS / 2, to);
    }
    if (row->has_last) {
      write_pixels(in, first + 2 * row->pairs * step, 0, lanes, to);
    }
    start += row_step;
  }
}

/* What rows of 3x3 have in common in all channels. */
static ps_depthwise_rows make_rows(const band *in) {
  const ps_conv_2d_params *params = in->params;
  ps_depthwise_rows rows = {0};
  rows.output_step = params->output_column_stride;
  rows.rows = in->outputs;
  rows.row_step = 4 * params->stride_height;
  rows.output_row_step = params->output_row_stride;
  rows.width = params->output_width;
  return rows;
}

/* Convolves one channel with a filter of 3x3. rows: as made for the band. */
PS_INLINE void convolve_3x3(const band *in, const int8_t *filter, const ps_dsp_scaling *scaling,
                            const uint32_t *plane, int8_t *output, ps_depthwise_rows *rows) {
  const uint32_t addends = ps_pair(in->params->filter_offset, in->params->filter_offset);
  rows->bias = 2 * scaling->bias;
  for (int32_t y = 0; y < 3; ++y) {
    /* The words are taps (0, -, 1, 0) and (2, 1, -, 2). */
    const uint32_t left = ps_widen_even(addends, ps_load_word(filter + 8 * y));
    const uint32_t right = ps_widen_odd(addends, ps_load_word(filter + 8 * y + 4));
    rows->filter[2 * y] = ps_add_pairs(left, left);
    rows->filter[2 * y + 1] = ps_add_pairs(right, right);
  }
  rows->multiplier = scaling->multiplier;
  rows->rounding = scaling->rounding;
  rows->shift = scaling->shift;
  rows->columns = plane;
  rows->output = output;
  if (in->params->stride_width == 1) {
    ps_depthwise_3x3(rows);
  } else {
    ps_depthwise_3x3_stride_2(rows);
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
  uint32_t taps[2 * PS_DEPTHWISE_WORDS_MAX]; /* scratch may lie in slow memory */
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
      ps_limit_pixel(params, pixel);
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
  const int32_t room = PITCH / in->plane_rows;
  const int32_t multiplier = params->output_channels / params->input_channels;
  const row_layout row = lay_out_row(in);
  const int32_t first = in->first_output * params->output_row_stride;
  ps_depthwise_rows rows = make_rows(in);
  int8_t *to = output;
  fill_band(in, &row);
  for (int32_t channel = 0; channel < params->input_channels; channel += room) {
    const int32_t left = params->input_channels - channel;
    const int32_t lanes = left < room ? left : room;
    widen_rows(in, &row, in->input + channel, lanes);
    for (int32_t n = 0; n < lanes * multiplier; ++n) {
      const int32_t lane = multiplier == 1 ? n : n / multiplier;
      const uint32_t *plane = in->planes + lane * in->plane_rows;
      if (is_3x3) {
        convolve_3x3(in, filters, scaling, plane, to + first, &rows);
      } else {
        convolve_channel(in, filters, scaling, plane, to);
      }
      filters += filter_bytes;
      ++scaling;
      ++to;
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
  const int32_t rows =
      (params->output_height - 1) * params->stride_height + params->filter_height;
  /* Few rows leave room for more channels: these are adjacent in the input, and in its cache lines. */
  const int32_t plane_rows = rows <= PS_DEPTHWISE_ROWS / 2 ? PS_DEPTHWISE_ROWS / 2 : PS_DEPTHWISE_ROWS;
  const int32_t most = (plane_rows - params->filter_height) / params->stride_height + 1;
  band in = {params, input, scratch, plane_rows, seen / 2 + 2, 0, 0, 0, 0};
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
