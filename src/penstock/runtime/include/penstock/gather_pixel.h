/* The taps that one output pixel of a convolution sees, side by side. Internal to the kernels. */
#ifndef PENSTOCK_GATHER_PIXEL_H
#define PENSTOCK_GATHER_PIXEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns pixel (column, row) of the input, or NULL where that is padding. */
static inline const int8_t *ps_find_pixel(const ps_conv_2d_params *params, const int8_t *input,
                                          int32_t row, int32_t column) {
  if (row < 0 || row >= params->input_height || column < 0 || column >= params->input_width) {
    return NULL;
  }
  return input + row * params->input_row_stride + column * params->input_column_stride;
}

/* Returns the taps [filter_height, filter_width, filter_channels] of output pixel (x, y), padding
 * included: where they are in the input if that is one pixel, else copied to scratch, a byte for each. */
static inline const int8_t *ps_gather_pixel(const ps_conv_2d_params *params, const int8_t *input,
                                            int32_t y, int32_t x, int8_t *scratch) {
  const int32_t depth = params->filter_channels;
  const int32_t top = y * params->stride_height - params->padding_top;
  const int32_t left = x * params->stride_width - params->padding_left;
  const int8_t *const first = ps_find_pixel(params, input, top, left);
  int8_t *to = scratch;
  if (first != NULL && params->filter_height * params->filter_width == 1) {
    return first;
  }
  for (int32_t ky = 0; ky < params->filter_height; ++ky) {
    for (int32_t kx = 0; kx < params->filter_width; ++kx) {
      const int8_t *from = ps_find_pixel(params, input, top + ky * params->dilation_height,
                                         left + kx * params->dilation_width);
      if (from != NULL) {
        memcpy(to, from, (size_t)depth);
      } else {
        memset(to, -params->input_offset, (size_t)depth);
      }
      to += depth;
    }
  }
  return scratch;
}

#ifdef __cplusplus
}
#endif

#endif
