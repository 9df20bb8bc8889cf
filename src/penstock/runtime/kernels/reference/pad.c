/* Surrounds a tensor with a constant. */
#include <stddef.h>
#include <string.h>

#include "penstock/movement.h"

static void fill(const ps_pad_params *params, uint8_t *output) {
  const int64_t value = params->value;
  const size_t bytes = (size_t)params->element_bytes;
  if (bytes == 1) {
    memset(output, (int)(value & 0xFF), (size_t)params->output_count);
    return;
  }
  for (int32_t i = 0; i < params->output_count; ++i) {
    memcpy(output, &value, bytes); /* the low bytes, on a little-endian machine */
    output += bytes;
  }
}

void ps_pad(const ps_pad_params *params, const void *input, void *output) {
  const int32_t bytes = params->element_bytes;
  const size_t run_bytes = (size_t)(params->extents[PS_RUN] * bytes);
  const uint8_t *source = (const uint8_t *)input;
  uint8_t *target = (uint8_t *)output + params->output_start * bytes;
  int32_t index[PS_RUN] = {0};
  fill(params, (uint8_t *)output);
  do {
    memcpy(target + ps_run_offset(params->output_strides, index) * bytes,
           source + ps_run_offset(params->input_strides, index) * bytes, run_bytes);
  } while (ps_next_run(params->extents, index));
}
