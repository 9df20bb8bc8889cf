/* Average pooling of int8, with both rules of rounding. */
#include <stdbool.h>

#include "penstock/field.h"
#include "penstock/fixed_point.h"
#include "penstock/pool_2d.h"

static int32_t sum_field(const ps_pool_2d_params *params, const ps_field *field,
                         const int8_t *input) {
  int32_t sum = 0;
  for (int32_t y = 0; y < field->rows; ++y) {
    const int8_t *value = input + y * params->input_row_stride;
    for (int32_t x = field->columns; x > 0; --x) {
      sum += *value;
      value += params->input_column_stride;
    }
  }
  return sum;
}

static int32_t divide_half_away(int32_t sum, int32_t count) {
  return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

/* Elements are raised by 128 for the division, which then never meets a negative number. */
static int32_t divide_half_up(int32_t sum, int32_t count) {
  return (sum + 128 * count + count / 2) / count - 128;
}

static void pool(const ps_pool_2d_params *params, const int8_t *input, int8_t *output,
                 bool half_up) {
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; ++y) {
      int8_t *pixel = output + y * params->output_row_stride;
      for (int32_t x = 0; x < params->output_width; ++x) {
        const ps_field field = ps_locate_field(params, y, x);
        const int32_t count = field.rows * field.columns;
        const int8_t *source = input + field.start;
        for (int32_t channel = 0; channel < params->channels; ++channel) {
          const int32_t sum = sum_field(params, &field, source + channel);
          const int32_t average =
              half_up ? divide_half_up(sum, count) : divide_half_away(sum, count);
          pixel[channel] =
              (int8_t)ps_clamp(average, params->activation_min, params->activation_max);
        }
        pixel += params->output_column_stride;
      }
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}

void ps_average_pool_2d_s8(const ps_pool_2d_params *params, const int8_t *input, int8_t *output) {
  pool(params, input, output, false);
}

void ps_average_pool_2d_half_up_s8(const ps_pool_2d_params *params, const int8_t *input,
                                   int8_t *output) {
  pool(params, input, output, true);
}
