/* Convolution of int8 by exact integer Winograd F(4x4, 3x3). */
#include "penstock/conv_2d_winograd_4x4.h"

#include "penstock/winograd_3x3.h"

#define TILE 4
#define START_WORDS 4
#define transform ps_winograd_transform_4x4
#define finish ps_winograd_finish_4x4

#include "penstock/winograd_code.h"

void ps_conv_2d_winograd_4x4_dsp_s8(const ps_conv_2d_params *params, const int8_t *input,
                                    const int16_t *filters, const int32_t *scaling,
                                    uint32_t *scratch, int8_t *output) {
  convolve(params, input, filters, scaling, scratch, output);
}
