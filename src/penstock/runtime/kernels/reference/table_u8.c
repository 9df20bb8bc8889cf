/* Any function of one 8-bit operand, by table. */
#include "penstock/movement.h"

void ps_table_u8(const ps_table_params *params, const uint8_t *input, const uint8_t *table,
                 uint8_t *output) {
  int32_t index[PS_RUN] = {0};
  do {
    const uint8_t *from = input + ps_run_offset(params->input_strides, index);
    uint8_t *to = output + params->output_start + ps_run_offset(params->output_strides, index);
    for (int32_t i = 0; i < params->extents[PS_RUN]; ++i) {
      *to = table[*from];
      from += params->input_strides[PS_RUN];
      to += params->output_strides[PS_RUN];
    }
  } while (ps_next_run(params->extents, index));
}
