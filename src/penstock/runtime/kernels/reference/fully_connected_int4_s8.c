/* Fully connected layer of int8 with filters of four bits, four channels at a time. */
#include "penstock/fully_connected_int4.h"

#include <stddef.h>

#include "penstock/nibbles.h"

enum { BLOCK = 4 };

void ps_fully_connected_int4_s8(const ps_fully_connected_params *params, const int8_t *input,
                                const uint8_t *filters, const int32_t *bias,
                                const int64_t *mantissas, const int16_t *exponents,
                                int8_t *scratch, int8_t *output) {
  const int32_t depth = params->input_channels;
  const int32_t channels = params->output_channels;
  const int32_t step = params->factor_step;
  ps_fully_connected_params block = *params;
  block.batches = 1;
  for (int32_t channel = 0; channel < channels; channel += BLOCK) {
    block.output_channels = channels - channel < BLOCK ? channels - channel : BLOCK;
    for (int32_t lane = 0; lane < block.output_channels; ++lane) {
      filters = ps_unpack_nibbles(filters, depth, scratch + lane * depth);
    }
    for (int32_t n = 0; n < params->batches; ++n) {
      ps_fully_connected_s8(&block, input + n * depth, scratch, bias == NULL ? NULL : bias + channel,
                            mantissas + channel * step, exponents + channel * step,
                            output + n * channels + channel);
    }
  }
}
