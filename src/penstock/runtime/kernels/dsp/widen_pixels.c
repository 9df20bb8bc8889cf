/* Brings what output pixels see of an image in the order of the convolution. */
#include "penstock/widen_pixels.h"

#include "penstock/dsp.h"

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

/* What an output pixel sees of the input. */
typedef struct window {
  const ps_conv_2d_params *params;
  const int8_t *input;
  int32_t rows;
  int32_t row_step; /* bytes from row to row */
  int32_t run;      /* bytes of a row */
  int32_t is_dense; /* a row is in one piece */
  int32_t last_top; /* where it begins at most, if all of it is within the input */
  int32_t last_left;
  int32_t tap_pairs;
  int8_t *bytes; /* room for a row, then for the rests of all rows */
} window;

static window make_window(const ps_conv_2d_params *params, const int8_t *input, uint32_t *words) {
  const int32_t dilation = params->dilation_height;
  const int32_t taps = params->filter_height * params->filter_width * params->filter_channels;
  window out;
  out.params = params;
  out.input = input;
  out.rows = params->filter_height;
  out.row_step = dilation * params->input_row_stride;
  out.run = params->filter_width * params->input_channels;
  out.is_dense = params->dilation_width == 1 && params->input_column_stride == params->input_channels;
  out.last_top = params->input_height - 1 - (params->filter_height - 1) * dilation;
  out.last_left = params->input_width - params->filter_width;
  out.tap_pairs = (taps + 3) / 4 * 2;
  out.bytes = (int8_t *)(words + out.tap_pairs * params->scratch_pixels + LANES);
  return out;
}

/* Copies the taps of one row of a window. row: of the input. */
static void copy_row(const window *seen, int32_t row, int32_t left) {
  const ps_conv_2d_params *params = seen->params;
  const int32_t depth = params->input_channels;
  const int8_t *from = seen->input + row * params->input_row_stride;
  int8_t *to = seen->bytes;
  if (row < 0 || row >= params->input_height) {
    fill(-params->input_offset, seen->run, to);
    return;
  }
  for (int32_t kx = 0; kx < params->filter_width; ++kx) {
    const int32_t column = left + kx * params->dilation_width;
    if (column < 0 || column >= params->input_width) {
      to = fill(-params->input_offset, depth, to);
    } else {
      to = copy(from + column * params->input_column_stride, depth, to);
    }
  }
}

/* Widens a row of a window but for its rest, which it copies; returns where the next row goes. */
PS_INLINE uint32_t *write_row(const int8_t *from, int32_t run, uint32_t *words, int8_t **rest) {
  int8_t *to = *rest;
  if (run >= 16) {
    words = widen(from, run & ~3, words);
    from += run & ~3;
  } else {
    for (int32_t left = run; left >= 4; left -= 4) {
      const uint32_t word = ps_load_word(from);
      words[0] = ps_even_bytes(word);
      words[2] = ps_odd_bytes(word);
      words += 4;
      from += 4;
    }
  }
  for (int32_t left = run % 4; left > 0; --left) {
    *to++ = *from++;
  }
  *rest = to;
  return words;
}

/* Widens the rests of all rows. */
PS_INLINE void write_rests(int8_t *rests, int8_t *end, uint32_t *words) {
  if (end != rests) {
    ps_store_word(end, 0);
    widen(rests, (int32_t)(end - rests + 3) & ~3, words);
  }
}

/* Writes what a filter of 3x3 sees of three channels, the most frequent window of all: of each row two
 * words and a byte. */
static void write_rgb(const int8_t *from, int32_t row_step, uint32_t *words) {
  uint32_t rests = 0;
  for (int32_t bit = 0; bit < 24; bit += 8) {
    const uint32_t first = ps_load_word(from);
    const uint32_t second = ps_load_word(from + 4);
    const uint32_t rest = (uint8_t)from[8];
    words[0] = ps_even_bytes(first);
    words[2] = ps_odd_bytes(first);
    words[4] = ps_even_bytes(second);
    words[6] = ps_odd_bytes(second);
    rests |= rest << bit;
    words += 8;
    from += row_step;
  }
  words[0] = ps_even_bytes(rests);
  words[2] = ps_odd_bytes(rests);
}

/* Writes the taps that an output pixel sees to every other word: of each row as many as make whole
 * words, then the rests of all rows. */
static void write_inside(const window *seen, const int8_t *from, uint32_t *words) {
  const int32_t run = seen->run;
  const int32_t row_step = seen->row_step;
  int8_t *const rests = seen->bytes + run;
  int8_t *rest = rests;
  if (run == 9 && seen->rows == 3) {
    write_rgb(from, row_step, words);
    return;
  }
  if (run == 4) {
    for (int32_t rows = seen->rows; rows > 0; --rows) {
      const uint32_t row = ps_load_word(from);
      words[0] = ps_even_bytes(row);
      words[2] = ps_odd_bytes(row);
      words += 4;
      from += row_step;
    }
    return;
  }
  for (int32_t rows = seen->rows; rows > 0; --rows) {
    words = write_row(from, run, words, &rest);
    from += row_step;
  }
  write_rests(rests, rest, words);
}

/* Widens a row of padding as write_row does. */
static uint32_t *write_padding(const window *seen, uint32_t *words, int8_t **rest) {
  const int32_t padding = -seen->params->input_offset;
  const uint32_t pair = ps_pair(padding, padding);
  for (int32_t left = seen->run; left >= 4; left -= 4) {
    words[0] = pair;
    words[2] = pair;
    words += 4;
  }
  *rest = fill(padding, seen->run % 4, *rest);
  return words;
}

/* The same as write_inside where rows are in one piece, but for what is outside the input. */
static void write_edge(const window *seen, int32_t top, int32_t left, uint32_t *words) {
  const ps_conv_2d_params *params = seen->params;
  const int32_t width = params->filter_width;
  const int32_t right = params->input_width - left; /* columns up to the edge */
  const int32_t first = left >= 0 ? 0 : -left < width ? -left : width;
  const int32_t last = right >= width ? width : right > first ? right : first;
  const int32_t skipped = first * params->input_channels;
  const int32_t count = last * params->input_channels - skipped;
  int32_t start = top * params->input_row_stride + (left + first) * params->input_column_stride;
  int8_t *const rests = seen->bytes + seen->run;
  int8_t *rest = rests;
  if (count < seen->run) {
    fill(-params->input_offset, seen->run, seen->bytes);
  }
  for (int32_t ky = 0; ky < seen->rows; ++ky) {
    const int32_t row = top + ky * params->dilation_height;
    if (count == 0 || row < 0 || row >= params->input_height) {
      words = write_padding(seen, words, &rest);
    } else {
      const int8_t *bytes = seen->input + start;
      if (count < seen->run) {
        copy(bytes, count, seen->bytes + skipped);
        bytes = seen->bytes;
      }
      words = write_row(bytes, seen->run, words, &rest);
    }
    start += seen->row_step;
  }
  write_rests(rests, rest, words);
}

/* The same where rows are in pieces. */
static void write_pieces(const window *seen, int32_t top, int32_t left, uint32_t *words) {
  int8_t *const rests = seen->bytes + seen->run;
  int8_t *rest = rests;
  for (int32_t ky = 0; ky < seen->rows; ++ky) {
    copy_row(seen, top + ky * seen->params->dilation_height, left);
    words = write_row(seen->bytes, seen->run, words, &rest);
  }
  write_rests(rests, rest, words);
}

/* Writes four channels of two pixels. */
PS_INLINE void write_four(uint32_t left, uint32_t right, uint32_t *words) {
  words[0] = ps_even_bytes(left);
  words[1] = ps_even_bytes(right);
  words[2] = ps_odd_bytes(left);
  words[3] = ps_odd_bytes(right);
}

/* Writes two pixels of which each sees itself. */
static void write_two_points(const int8_t *first, int32_t step, int32_t depth, uint32_t *words) {
  const int8_t *second = first + step;
  for (; depth >= 8; depth -= 8) {
    const uint32_t left = ps_load_word(first);
    const uint32_t next_left = ps_load_word(first + 4);
    const uint32_t right = ps_load_word(second);
    const uint32_t next_right = ps_load_word(second + 4);
    write_four(left, right, words);
    write_four(next_left, next_right, words + 4);
    first += 8;
    second += 8;
    words += 8;
  }
  if (depth > 0) {
    write_four(ps_load_word(first), ps_load_word(second), words);
  }
}

/* Where pixels go: every second one beside the one before. */
typedef struct place {
  uint32_t *words;
  int32_t is_second;
} place;

static inline void advance(place *to, int32_t tap_pairs) {
  to->words += to->is_second ? 2 * tap_pairs : 0;
  to->is_second = !to->is_second;
}

/* Writes pixels beside one another. top, left: of the window of the first one. */
static void write_run(const window *seen, int32_t top, int32_t left, int32_t count, place *to) {
  const ps_conv_2d_params *params = seen->params;
  const int32_t stride = params->stride_width;
  const int32_t step = stride * params->input_column_stride;
  const int is_inside = seen->is_dense && top >= 0 && top <= seen->last_top;
  while (count > 0) {
    int32_t inside = 0;
    if (is_inside && left >= 0 && left <= seen->last_left) {
      const int8_t *from =
          seen->input + top * params->input_row_stride + left * params->input_column_stride;
      inside = (seen->last_left - left) / stride + 1;
      inside = inside < count ? inside : count;
      for (int32_t pixel = 0; pixel < inside; ++pixel) {
        write_inside(seen, from, to->words + to->is_second);
        advance(to, seen->tap_pairs);
        from += step;
      }
    } else {
      if (seen->is_dense) {
        write_edge(seen, top, left, to->words + to->is_second);
      } else {
        write_pieces(seen, top, left, to->words + to->is_second);
      }
      advance(to, seen->tap_pairs);
      inside = 1;
    }
    left += inside * stride;
    count -= inside;
  }
}

/* Writes pixels beside one another that see only themselves. */
static void write_points(const window *seen, const int8_t *from, int32_t count, place *to) {
  const ps_conv_2d_params *params = seen->params;
  const int32_t step = params->input_column_stride;
  for (; count > 0; --count) {
    if (!to->is_second && count > 1) {
      write_two_points(from, step, seen->run, to->words);
      to->words += 2 * seen->tap_pairs;
      from += 2 * step;
      --count;
    } else {
      write_inside(seen, from, to->words + to->is_second);
      advance(to, seen->tap_pairs);
      from += step;
    }
  }
}

void ps_widen_pixels(const ps_conv_2d_params *params, const int8_t *input, int32_t y, int32_t x,
                     int32_t count, uint32_t *words) {
  const window seen = make_window(params, input, words);
  const int is_point = params->filter_height * params->filter_width == 1 &&
                       params->stride_width == 1 && params->input_channels % 4 == 0 &&
                       params->padding_left + params->padding_top == 0 &&
                       params->output_width <= params->input_width &&
                       (params->output_height - 1) * params->stride_height < params->input_height;
  /* Rows follow one another as a single row. */
  const int is_joined = is_point && params->stride_height == 1 &&
                        params->output_width == params->input_width &&
                        params->input_row_stride == params->input_width * params->input_column_stride;
  place to = {words, 0};
  while (count > 0) {
    const int32_t left = params->output_width - x;
    const int32_t run = is_joined || left > count ? count : left;
    if (is_point) {
      const int8_t *row = input + y * params->stride_height * params->input_row_stride;
      write_points(&seen, row + x * params->input_column_stride, run, &to);
    } else {
      write_run(&seen, y * params->stride_height - params->padding_top,
                x * params->stride_width - params->padding_left, run, &to);
    }
    count -= run;
    x = 0;
    ++y;
  }
  if (to.is_second) {
    /* The last pixel has none beside it: it is computed twice. */
    for (int32_t k = 0; k < seen.tap_pairs; ++k) {
      to.words[2 * k + 1] = to.words[2 * k];
    }
    to.words += 2 * seen.tap_pairs;
  }
  to.words[0] = 0; /* loaded ahead, and not used */
  to.words[1] = 0;
}
