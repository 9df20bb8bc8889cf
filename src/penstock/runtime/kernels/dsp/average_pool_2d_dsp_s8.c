/* Average pooling of int8, four channels at a time. */
#include "penstock/dsp.h"
#include "penstock/field.h"
#include "penstock/fixed_point.h"
#include "penstock/pool_2d_dsp.h"

enum { LANES = 4 };

/* Adds a window up; sums: of channels 0 and 2, then of 1 and 3. */
static inline void sum_window(const ps_pool_2d_params *params, const ps_field *field,
                              const int8_t *input, uint32_t *sums) {
  const int32_t step = params->input_column_stride;
  uint32_t even = 0;
  uint32_t odd = 0;
  for (int32_t y = field->rows; y > 0; --y) {
    const int8_t *value = input;
    int32_t x = field->columns;
    for (; x >= 4; x -= 4) {
      const uint32_t first = ps_load_word(value);
      const uint32_t second = ps_load_word(value + step);
      const uint32_t third = ps_load_word(value + 2 * step);
      const uint32_t fourth = ps_load_word(value + 3 * step);
      even = ps_widen_even(ps_widen_even(even, first), second);
      odd = ps_widen_odd(ps_widen_odd(odd, first), second);
      even = ps_widen_even(ps_widen_even(even, third), fourth);
      odd = ps_widen_odd(ps_widen_odd(odd, third), fourth);
      value += 4 * step;
    }
    for (; x > 0; --x) {
      const uint32_t word = ps_load_word(value);
      even = ps_widen_even(even, word);
      odd = ps_widen_odd(odd, word);
      value += step;
    }
    input += params->input_row_stride;
  }
  sums[0] = even;
  sums[1] = odd;
}

/* Returns a field whose rows follow one another as a single row. */
static inline ps_field join_rows(const ps_pool_2d_params *params, ps_field field) {
  if (field.columns * params->input_column_stride == params->input_row_stride) {
    field.columns *= field.rows;
    field.rows = 1;
  }
  return field;
}

static inline int8_t average(const ps_pool_2d_params *params, int32_t sum, int32_t count) {
  const int32_t nearest = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
  return (int8_t)ps_clamp(nearest, params->activation_min, params->activation_max);
}

void ps_average_pool_2d_dsp_s8(const ps_pool_2d_params *params, const int8_t *input,
                               int8_t *output) {
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; ++y) {
      int8_t *pixel = output + y * params->output_row_stride;
      for (int32_t x = 0; x < params->output_width; ++x) {
        const ps_field field = join_rows(params, ps_locate_field(params, y, x));
        const int32_t count = field.rows * field.columns;
        const int8_t *source = input + field.start;
        for (int32_t channel = 0; channel < params->channels; channel += LANES) {
          uint32_t sums[2];
          sum_window(params, &field, source + channel, sums);
          pixel[channel] = average(params, (int16_t)sums[0], count);
          pixel[channel + 1] = average(params, (int16_t)sums[1], count);
          pixel[channel + 2] = average(params, (int16_t)(sums[0] >> 16), count);
          pixel[channel + 3] = average(params, (int16_t)(sums[1] >> 16), count);
        }
        pixel += params->output_column_stride;
      }
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
