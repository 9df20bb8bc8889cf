/* Rows of one channel of a depthwise convolution of 3x3. Internal to ps_depthwise_conv_2d_dsp_s8. */
#ifndef PENSTOCK_DEPTHWISE_3X3_H
#define PENSTOCK_DEPTHWISE_3X3_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PS_DEPTHWISE_PITCH = 64 }; /* words from two columns to the next two */

/* All fields are words, in the order in which the code loads them. */
typedef struct ps_depthwise_rows {
  int32_t bias;       /* twice that of the channel */
  uint32_t filter[6]; /* of each row, the first two taps and the last two, twice their values */
  int32_t multiplier; /* these three as in ps_dsp_scaling */
  int32_t rounding;
  int32_t shift;
  int8_t *next; /* these two are written, whatever they are */
  int32_t output_step;
  int32_t left;
  int32_t rows;
  const uint32_t *columns; /* of the first row: two in a word, rows in adjacent words */
  int32_t row_step;        /* bytes from one row of outputs to what the next one sees */
  int8_t *output;
  int32_t output_row_step;
  int32_t width; /* of the output */
} ps_depthwise_rows;

/* Computes rows with a horizontal stride of 1 and of 2. */
void ps_depthwise_3x3(const ps_depthwise_rows *rows);
void ps_depthwise_3x3_stride_2(const ps_depthwise_rows *rows);

#ifdef __cplusplus
}
#endif

#endif
