/* Average pooling of int16. */
#include "penstock/field.h"
#include "penstock/fixed_point.h"
#include "penstock/pool_2d.h"

static int32_t average_field(const ps_pool_2d_params *params, const ps_field *field,
                             const int16_t *input) {
  const int32_t count = field->rows * field->columns;
  int32_t sum = 0;
  for (int32_t y = 0; y < field->rows; ++y) {
    const int16_t *value = input + y * params->input_row_stride;
    for (int32_t x = field->columns; x > 0; --x) {
      sum += *value;
      value += params->input_column_stride;
    }
  }
  return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

void ps_average_pool_2d_s16(const ps_pool_2d_params *params, const int16_t *input,
                            int16_t *output) {
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; ++y) {
      int16_t *pixel = output + y * params->output_row_stride;
      for (int32_t x = 0; x < params->output_width; ++x) {
        const ps_field field = ps_locate_field(params, y, x);
        for (int32_t channel = 0; channel < params->channels; ++channel) {
          const int32_t average = average_field(params, &field, input + field.start + channel);
          pixel[channel] =
              (int16_t)ps_clamp(average, params->activation_min, params->activation_max);
        }
        pixel += params->output_column_stride;
      }
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
