/* Convolution by Winograd F(2x2, 3x3) and F(4x4, 3x3). Internal to ps_conv_2d_winograd_2x2_dsp_s8 and
 * ps_conv_2d_winograd_4x4_dsp_s8. */
#ifndef PENSTOCK_WINOGRAD_H
#define PENSTOCK_WINOGRAD_H

#include <stdint.h>

#include "penstock/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All fields are words, in the order in which the code loads them. */
typedef struct ps_winograd_patch {
  const int8_t *pixels; /* 4x4 or 6x6 */
  int32_t row_step;     /* elements from row to row */
  int32_t step;         /* from pixel to pixel */
  uint32_t *patch;      /* of the first position, every other word */
  int32_t position_step; /* bytes from one position to the next */
  int32_t fours;        /* of channels; at least 1 */
} ps_winograd_patch;

/* Patches beside one another, one output channel. */
typedef struct ps_winograd_outputs {
  const uint32_t *sums; /* of the first patch; positions are 8 words apart */
  int8_t *output;       /* of the first patch */
  int32_t count;        /* of patches; 1 where outputs of a row are missing */
  int32_t next;         /* bytes to the sums of the next patch, the other of two or the first of the
                           next two; then the other way round */
  int32_t bias;         /* twice that of the channel */
  int32_t multiplier;   /* these three as in ps_dsp_scaling */
  int32_t rounding;
  int32_t shift;
  int32_t right[3];     /* elements from the first pixel of a row to those behind it; where there are
                           none, to the last there is; one for 2x2 outputs, three for 4x4 */
  int32_t down[3];      /* the same from row to row */
} ps_winograd_outputs;

/* A size of patches. */
typedef struct ps_winograd_form {
  int32_t tile;       /* side of the outputs that a patch makes, two pixels less than its own */
  int32_t has_starts; /* filters of each position follow what its sums begin with; 0: these are 0 */
  void (*transform)(const ps_winograd_patch *patch);
  void (*finish)(const ps_winograd_outputs *outputs);
} ps_winograd_form;

/* Convolves int8 as ps_conv_2d_winograd_2x2_dsp_s8 does, in patches of a form. */
void ps_winograd_convolve(const ps_winograd_form *form, const ps_conv_2d_params *params,
                          const int8_t *input, const int16_t *filters, const int32_t *scaling,
                          uint32_t *scratch, int8_t *output);

/* Transforms a patch of 4x4, two channels to a word. */
void ps_winograd_transform_2x2(const ps_winograd_patch *patch);

/* Makes 2x2 outputs of the sums of each patch. Those that do not exist go where others are written
 * behind them. */
void ps_winograd_finish_2x2(const ps_winograd_outputs *outputs);

/* Transforms a patch of 6x6, two channels to a word: the first + 12750, so that none is negative.
 * Channels count from -128 on. */
void ps_winograd_transform_4x4(const ps_winograd_patch *patch);

/* Makes 4x4 outputs of the sums of each patch, as above. */
void ps_winograd_finish_4x4(const ps_winograd_outputs *outputs);

#ifdef __cplusplus
}
#endif

#endif
