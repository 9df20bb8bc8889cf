/* Copies a box of elements. */
#include <stddef.h>
#include <string.h>

#include "penstock/movement.h"

void ps_strided_copy(const ps_strided_copy_params *params, const void *input, void *output) {
  const int32_t bytes = params->element_bytes;
  const int32_t count = params->extents[PS_RUN];
  const int32_t input_step = params->input_strides[PS_RUN] * bytes;
  const int32_t output_step = params->output_strides[PS_RUN] * bytes;
  const uint8_t *source = (const uint8_t *)input + params->input_start * bytes;
  uint8_t *target = (uint8_t *)output + params->output_start * bytes;
  int32_t index[PS_RUN] = {0};
  do {
    const uint8_t *from = source + ps_run_offset(params->input_strides, index) * bytes;
    uint8_t *to = target + ps_run_offset(params->output_strides, index) * bytes;
    if (input_step == bytes && output_step == bytes) {
      memcpy(to, from, (size_t)(count * bytes));
    } else {
      for (int32_t i = 0; i < count; ++i) {
        for (int32_t byte = 0; byte < bytes; ++byte) {
          to[byte] = from[byte];
        }
        from += input_step;
        to += output_step;
      }
    }
  } while (ps_next_run(params->extents, index));
}
