/* Sum of two tensors of int8. */
#include "penstock/add_dsp.h"

#include "penstock/dsp.h"
#include "penstock/dsp_scaling.h"
#include "penstock/fixed_point.h"

/* Returns value / 2^shift, halves as ps_add_dsp_params says; rounding: 2^(shift - 1) and more. */
static inline int32_t divide(int32_t value, int32_t rounding, int32_t shift) {
  return (value + (value >> 31) + rounding) >> shift;
}

/* Returns an output, limited to int8. right_shift: 0 where both operands have the same scale. */
PS_INLINE uint32_t add_bytes(const ps_add_dsp_params *params, int32_t left, int32_t right,
                             int32_t right_shift) {
  uint32_t sum = (uint32_t)params->left_start;
  int32_t scaled;
  if (right_shift == 0) {
    sum += (uint32_t)(left + right) << 20;
  } else {
    const int32_t raised = (int32_t)((uint32_t)params->right_start + ((uint32_t)right << 21));
    const int32_t other = divide(ps_multiply_upper(raised, params->right_multiplier),
                                 params->right_rounding, right_shift);
    sum += ((uint32_t)left << 20) + ((uint32_t)other << 1);
  }
  scaled = ps_multiply_upper((int32_t)sum, params->output_multiplier);
  return (uint8_t)ps_limit_to_s8(divide(scaled, params->output_rounding, params->output_shift));
}

/* Adds four adjacent elements at a time; returns how many. */
PS_INLINE int32_t add_fours(const ps_add_dsp_params *from, const int8_t *left, const int8_t *right,
                            int32_t right_shift, int8_t *output) {
  const ps_add_dsp_params params = *from; /* which output may not alias */
  const int32_t count = params.extents[PS_RUN] / 4 * 4;
  for (const int8_t *const end = left + count; left != end; left += 4) {
    const uint32_t l = ps_load_word(left);
    const uint32_t r = ps_load_word(right);
    uint32_t out = add_bytes(&params, (int8_t)l, (int8_t)r, right_shift);
    out |= add_bytes(&params, (int8_t)(l >> 8), (int8_t)(r >> 8), right_shift) << 8;
    out |= add_bytes(&params, (int8_t)(l >> 16), (int8_t)(r >> 16), right_shift) << 16;
    out |= add_bytes(&params, (int8_t)(l >> 24), (int8_t)(r >> 24), right_shift) << 24;
    ps_store_word(output, out);
    right += 4;
    output += 4;
  }
  return count;
}

/* Adds elements of any strides one by one. */
PS_INLINE void add_each(const ps_add_dsp_params *from, const int8_t *left, const int8_t *right,
                        int32_t right_shift, int32_t count, int8_t *output) {
  const ps_add_dsp_params params = *from; /* which output may not alias */
  for (; count > 0; --count) {
    const int8_t sum = (int8_t)add_bytes(&params, *left, *right, right_shift);
    *output = (int8_t)ps_clamp(sum, params.activation_min, params.activation_max);
    left += params.left_strides[PS_RUN];
    right += params.right_strides[PS_RUN];
    output += params.output_strides[PS_RUN];
  }
}

PS_INLINE void add_run(const ps_add_dsp_params *params, const int8_t *left, const int8_t *right,
                       int32_t right_shift, int8_t *output) {
  const int is_dense = params->left_strides[PS_RUN] == 1 && params->right_strides[PS_RUN] == 1 &&
                       params->output_strides[PS_RUN] == 1 &&
                       params->activation_min == INT8_MIN && params->activation_max == INT8_MAX;
  const int32_t done = is_dense ? add_fours(params, left, right, right_shift, output) : 0;
  add_each(params, left + done, right + done, right_shift, params->extents[PS_RUN] - done,
           output + done);
}

void ps_add_dsp_s8(const ps_add_dsp_params *params, const int8_t *left, const int8_t *right,
                   int8_t *output) {
  int32_t index[PS_RUN] = {0};
  do {
    const int8_t *l = left + ps_run_offset(params->left_strides, index);
    const int8_t *r = right + ps_run_offset(params->right_strides, index);
    int8_t *o = output + ps_run_offset(params->output_strides, index);
    if (params->right_shift == 0) {
      add_run(params, l, r, 0, o);
    } else {
      add_run(params, l, r, params->right_shift, o);
    }
  } while (ps_next_run(params->extents, index));
}
