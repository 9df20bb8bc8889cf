/* Convolution of int8 by exact integer Winograd F(4x4, 3x3). */
#include "penstock/conv_2d_winograd_4x4.h"

#include "penstock/winograd.h"

void ps_conv_2d_winograd_4x4_dsp_s8(const ps_conv_2d_params *params, const int8_t *input,
                                    const int16_t *filters, const int32_t *scaling, uint32_t *scratch,
                                    int8_t *output) {
  static const ps_winograd_form form = {4, 1, ps_winograd_transform_4x4,
                                        ps_winograd_finish_4x4};
  ps_winograd_convolve(&form, params, input, filters, scaling, scratch, output);
}
