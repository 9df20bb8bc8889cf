/* Convolution of int8 with filters of four bits, four channels at a time. */
#include "penstock/conv_2d_int4.h"

#include <stddef.h>

#include "penstock/nibbles.h"

enum { BLOCK = 4 };

void ps_conv_2d_int4_s8(const ps_conv_2d_params *params, const int8_t *input,
                        const uint8_t *filters, const int32_t *bias, const int32_t *multipliers,
                        const int8_t *shifts, int8_t *scratch, int8_t *output) {
  const int32_t taps = params->filter_height * params->filter_width * params->filter_channels;
  const int32_t step = params->multiplier_step;
  ps_conv_2d_params block = *params;
  for (int32_t channel = 0; channel < params->output_channels; channel += BLOCK) {
    const int32_t left = params->output_channels - channel;
    block.output_channels = left < BLOCK ? left : BLOCK;
    for (int32_t lane = 0; lane < block.output_channels; ++lane) {
      filters = ps_unpack_nibbles(filters, taps, scratch + lane * taps);
    }
    ps_conv_2d_s8(&block, input, scratch, bias == NULL ? NULL : bias + channel,
                  multipliers + channel * step, shifts + channel * step, output + channel);
  }
}
