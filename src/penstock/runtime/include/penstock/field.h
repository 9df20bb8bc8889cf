/* The part of the input that one output position of a pooling kernel covers. Internal to these. */
#ifndef PENSTOCK_FIELD_H
#define PENSTOCK_FIELD_H

#include <stdint.h>

#include "penstock/pool_2d.h"
#include "penstock/window.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ps_field {
  int32_t start; /* input element under the first tap, channel 0 */
  int32_t rows;
  int32_t columns;
} ps_field;

/* Returns the field of output row y, column x. */
static inline ps_field ps_locate_field(const ps_pool_2d_params *params, int32_t y, int32_t x) {
  const int32_t top = y * params->stride_height - params->padding_top;
  const int32_t left = x * params->stride_width - params->padding_left;
  const ps_window rows = ps_clip_window(top, 1, params->filter_height, params->input_height);
  const ps_window columns = ps_clip_window(left, 1, params->filter_width, params->input_width);
  ps_field field;
  field.start = (top + rows.first) * params->input_row_stride +
                (left + columns.first) * params->input_column_stride;
  field.rows = rows.end - rows.first;
  field.columns = columns.end - columns.first;
  return field;
}

#ifdef __cplusplus
}
#endif

#endif
