/* Convolution of int8, one output pixel at a time. */
#include "penstock/conv_2d.h"

#include "penstock/patch.h"

void ps_conv_2d_s8(const ps_conv_2d_params *params, const int8_t *input, const int8_t *filters,
                   const int32_t *bias, const int32_t *multipliers, const int8_t *shifts,
                   int8_t *output) {
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; ++y) {
      int8_t *pixel = output + y * params->output_row_stride;
      for (int32_t x = 0; x < params->output_width; ++x) {
        const ps_patch patch = ps_locate_patch(params, y, x);
        ps_convolve_patch_s8(params, &patch, input, filters, bias, multipliers, shifts, pixel);
        pixel += params->output_column_stride;
      }
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
