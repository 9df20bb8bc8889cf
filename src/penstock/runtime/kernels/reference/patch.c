/* Finds the filter taps that lie inside the input. */
#include "penstock/patch.h"

#include "penstock/window.h"

ps_patch ps_locate_patch(const ps_conv_2d_params *params, int32_t y, int32_t x) {
  const int32_t top = y * params->stride_height - params->padding_top;
  const int32_t left = x * params->stride_width - params->padding_left;
  const ps_window rows =
      ps_clip_window(top, params->dilation_height, params->filter_height, params->input_height);
  const ps_window columns =
      ps_clip_window(left, params->dilation_width, params->filter_width, params->input_width);
  ps_patch patch = {0, 0, 0, 0, 0, 0, 0, 0};
  if (rows.first == rows.end || columns.first == columns.end) {
    return patch;
  }
  patch.rows = rows.end - rows.first;
  patch.columns = columns.end - columns.first;
  patch.input_start = (top + rows.first * params->dilation_height) * params->input_row_stride +
                      (left + columns.first * params->dilation_width) * params->input_column_stride;
  patch.input_row_step = params->dilation_height * params->input_row_stride;
  patch.input_column_step = params->dilation_width * params->input_column_stride;
  patch.filter_column_step = params->filter_channels;
  patch.filter_row_step = params->filter_width * params->filter_channels;
  patch.filter_start =
      rows.first * patch.filter_row_step + columns.first * patch.filter_column_step;
  return patch;
}

/* The taps of one dimension that reach an output position: tap, tap + stride, ... meet input
 * positions at, at - 1, ... */
typedef struct reach {
  int32_t tap;
  int32_t at;
  int32_t count;
} reach;

static reach find_reach(int32_t position, int32_t stride, int32_t taps, int32_t extent) {
  reach result = {position % stride, position / stride, 0};
  if (result.at >= extent) {
    result.tap += (result.at - extent + 1) * stride;
    result.at = extent - 1;
  }
  if (result.tap < taps) {
    const int32_t available = (taps - 1 - result.tap) / stride + 1;
    result.count = available < result.at + 1 ? available : result.at + 1;
  }
  return result;
}

ps_patch ps_locate_transposed_patch(const ps_conv_2d_params *params, int32_t y, int32_t x) {
  const reach rows = find_reach(y + params->padding_top, params->stride_height,
                                params->filter_height, params->input_height);
  const reach columns = find_reach(x + params->padding_left, params->stride_width,
                                   params->filter_width, params->input_width);
  const int32_t filter_row = params->filter_width * params->filter_channels;
  ps_patch patch = {0, 0, 0, 0, 0, 0, 0, 0};
  if (rows.count == 0 || columns.count == 0) {
    return patch;
  }
  patch.rows = rows.count;
  patch.columns = columns.count;
  patch.input_start = rows.at * params->input_row_stride + columns.at * params->input_column_stride;
  patch.input_row_step = -params->input_row_stride;
  patch.input_column_step = -params->input_column_stride;
  patch.filter_start = rows.tap * filter_row + columns.tap * params->filter_channels;
  patch.filter_row_step = params->stride_height * filter_row;
  patch.filter_column_step = params->stride_width * params->filter_channels;
  return patch;
}
