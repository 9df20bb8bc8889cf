/* Convolution of int8 by exact integer Winograd F(2x2, 3x3). */
#include "penstock/conv_2d_winograd_2x2.h"

#include "penstock/winograd.h"

void ps_conv_2d_winograd_2x2_dsp_s8(const ps_conv_2d_params *params, const int8_t *input,
                                const int16_t *filters, const int32_t *scaling, uint32_t *scratch,
                                int8_t *output) {
  static const ps_winograd_form form = {2, 0, ps_winograd_transform_2x2,
                                        ps_winograd_finish_2x2};
  ps_winograd_convolve(&form, params, input, filters, scaling, scratch, output);
}
