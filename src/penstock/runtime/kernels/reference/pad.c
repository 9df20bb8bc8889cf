/* Surrounds a tensor with a constant. */
#include <stddef.h>
#include <string.h>

#include "penstock/movement.h"

void ps_pad(const ps_pad_params *params, const ps_strided_copy_params *copy, const void *input,
            void *output) {
  const int64_t value = params->value;
  const size_t bytes = (size_t)copy->element_bytes;
  uint8_t *target = (uint8_t *)output;
  if (bytes == 1) {
    memset(target, (int)(value & 0xFF), (size_t)params->output_count);
  } else {
    for (int32_t i = 0; i < params->output_count; ++i) {
      memcpy(target, &value, bytes); /* the low bytes, on a little-endian machine */
      target += bytes;
    }
  }
  ps_strided_copy(copy, input, output);
}
