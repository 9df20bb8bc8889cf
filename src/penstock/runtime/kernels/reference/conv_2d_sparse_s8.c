/* Convolution of int8 with filters without their zeros, one output pixel at a time. */
#include "penstock/conv_2d_sparse.h"

#include <stddef.h>

#include "penstock/fixed_point.h"
#include "penstock/gather_pixel.h"
#include "penstock/sparse_filters.h"

static void convolve_pixel(const ps_conv_2d_params *params, const int8_t *taps,
                           const uint8_t *filters, const int32_t *bias, const int32_t *multipliers,
                           const int8_t *shifts, int8_t *output) {
  for (int32_t channel = 0; channel < params->output_channels; ++channel) {
    uint32_t sum = ps_sparse_dot(filters, taps, params->input_offset);
    if (bias != NULL) {
      sum += (uint32_t)bias[channel];
    }
    output[channel] = (int8_t)ps_offset_and_clamp(
        ps_requantize((int32_t)sum, *multipliers, *shifts), params->output_offset,
        params->activation_min, params->activation_max);
    filters = ps_sparse_next(filters);
    multipliers += params->multiplier_step;
    shifts += params->multiplier_step;
  }
}

void ps_conv_2d_sparse_s8(const ps_conv_2d_params *params, const int8_t *input,
                          const uint8_t *filters, const int32_t *bias, const int32_t *multipliers,
                          const int8_t *shifts, int8_t *scratch, int8_t *output) {
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; ++y) {
      int8_t *pixel = output + y * params->output_row_stride;
      for (int32_t x = 0; x < params->output_width; ++x) {
        const int8_t *taps = ps_gather_pixel(params, input, y, x, scratch);
        convolve_pixel(params, taps, filters, bias, multipliers, shifts, pixel);
        pixel += params->output_column_stride;
      }
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
