/* Average and maximum pooling of each channel; padded elements do not count.
 *
 * Input and output have the same quantization.
 */
#ifndef PENSTOCK_POOL_2D_H
#define PENSTOCK_POOL_2D_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Strides count elements, so that input and output may be parts (tiles) of larger tensors. */
typedef struct ps_pool_2d_params {
  int32_t batches;
  int32_t channels;
  int32_t input_height;
  int32_t input_width;
  int32_t input_batch_stride;
  int32_t input_row_stride;
  int32_t input_column_stride;
  int32_t output_height;
  int32_t output_width;
  int32_t output_batch_stride;
  int32_t output_row_stride;
  int32_t output_column_stride;
  int32_t filter_height;
  int32_t filter_width;
  int32_t stride_height; /* >= 1, as is the next */
  int32_t stride_width;
  int32_t padding_top; /* less than filter_height: every window meets the input */
  int32_t padding_left;
  int32_t activation_min;
  int32_t activation_max;
} ps_pool_2d_params;

/* Averages, to nearest with halves away from zero. output must not overlap input. */
void ps_average_pool_2d_s8(const ps_pool_2d_params *params, const int8_t *input, int8_t *output);

void ps_average_pool_2d_s16(const ps_pool_2d_params *params, const int16_t *input, int16_t *output);

/* Averages with halves up: the rule of legacy uint8 models. */
void ps_average_pool_2d_half_up_s8(const ps_pool_2d_params *params, const int8_t *input,
                                   int8_t *output);

/* Maxima. output must not overlap input. */
void ps_max_pool_2d_s8(const ps_pool_2d_params *params, const int8_t *input, int8_t *output);

void ps_max_pool_2d_s16(const ps_pool_2d_params *params, const int16_t *input, int16_t *output);

#ifdef __cplusplus
}
#endif

#endif
