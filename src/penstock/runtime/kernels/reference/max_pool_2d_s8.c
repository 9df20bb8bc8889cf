/* Maximum pooling of int8. */
#include "penstock/field.h"
#include "penstock/fixed_point.h"
#include "penstock/pool_2d.h"

static int32_t maximum_of_field(const ps_pool_2d_params *params, const ps_field *field,
                                const int8_t *input) {
  int32_t maximum = INT8_MIN;
  for (int32_t y = 0; y < field->rows; ++y) {
    const int8_t *value = input + y * params->input_row_stride;
    for (int32_t x = field->columns; x > 0; --x) {
      if (*value > maximum) {
        maximum = *value;
      }
      value += params->input_column_stride;
    }
  }
  return maximum;
}

void ps_max_pool_2d_s8(const ps_pool_2d_params *params, const int8_t *input, int8_t *output) {
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; ++y) {
      int8_t *pixel = output + y * params->output_row_stride;
      for (int32_t x = 0; x < params->output_width; ++x) {
        const ps_field field = ps_locate_field(params, y, x);
        for (int32_t channel = 0; channel < params->channels; ++channel) {
          const int32_t maximum = maximum_of_field(params, &field, input + field.start + channel);
          pixel[channel] =
              (int8_t)ps_clamp(maximum, params->activation_min, params->activation_max);
        }
        pixel += params->output_column_stride;
      }
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
