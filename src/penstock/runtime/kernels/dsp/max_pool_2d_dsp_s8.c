/* Maximum pooling of int8, four channels at a time. */
#include "penstock/dsp.h"
#include "penstock/field.h"
#include "penstock/pool_2d_dsp.h"

enum { LANES = 4 };

static inline uint32_t window_maxima(const ps_pool_2d_params *params, const ps_field *field,
                                     const int8_t *input, uint32_t least) {
  uint32_t most = least;
  for (int32_t y = field->rows; y > 0; --y) {
    const int8_t *value = input;
    for (int32_t x = field->columns; x > 0; --x) {
      most = ps_larger_bytes(most, ps_load_word(value));
      value += params->input_column_stride;
    }
    input += params->input_row_stride;
  }
  return most;
}

void ps_max_pool_2d_dsp_s8(const ps_pool_2d_params *params, const int8_t *input, int8_t *output) {
  const uint32_t least = (uint8_t)params->activation_min * 0x01010101U;
  const uint32_t most = (uint8_t)params->activation_max * 0x01010101U;
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; ++y) {
      int8_t *pixel = output + y * params->output_row_stride;
      for (int32_t x = 0; x < params->output_width; ++x) {
        const ps_field field = ps_locate_field(params, y, x);
        const int8_t *source = input + field.start;
        for (int32_t channel = 0; channel < params->channels; channel += LANES) {
          const uint32_t found = window_maxima(params, &field, source + channel, least);
          ps_store_word(pixel + channel, ps_smaller_bytes(found, most));
        }
        pixel += params->output_column_stride;
      }
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
