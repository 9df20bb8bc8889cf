/* SVDF with int8 state and time weights. */
#include <stddef.h>
#include <string.h>

#include "penstock/fixed_point.h"
#include "penstock/svdf.h"

/* Drops the oldest entry of each filter's history and appends the newest. */
static void advance_state(const ps_svdf_params *params, const int8_t *input,
                          const int8_t *feature_weights, int8_t *state) {
  const size_t kept_bytes = (size_t)(params->memory - 1) * sizeof *state;
  for (int32_t filter = 0; filter < params->units * params->rank; ++filter) {
    uint32_t sum = 0;
    for (int32_t i = 0; i < params->input_channels; ++i) {
      sum += (uint32_t)((input[i] + params->input_offset) * *feature_weights++);
    }
    memmove(state, state + 1, kept_bytes);
    state[params->memory - 1] = (int8_t)ps_offset_and_clamp(
        ps_requantize((int32_t)sum, params->feature_multiplier, params->feature_shift),
        params->state_offset, INT8_MIN, INT8_MAX);
    state += params->memory;
  }
}

/* Weights the histories over time and adds up those of each unit. */
static void filter_state(const ps_svdf_params *params, const int8_t *time_weights,
                         const int32_t *bias, const int8_t *state, int8_t *output) {
  for (int32_t unit = 0; unit < params->units; ++unit) {
    uint32_t sum = bias != NULL ? (uint32_t)bias[unit] : 0U;
    for (int32_t i = params->rank * params->memory; i > 0; --i) {
      sum += (uint32_t)((*state++ - params->state_offset) * *time_weights++);
    }
    output[unit] = (int8_t)ps_offset_and_clamp(
        ps_requantize((int32_t)sum, params->output_multiplier, params->output_shift),
        params->output_offset, params->activation_min, params->activation_max);
  }
}

void ps_svdf_s8(const ps_svdf_params *params, const int8_t *input, const int8_t *feature_weights,
                const int8_t *time_weights, const int32_t *bias, int8_t *state, int8_t *output) {
  for (int32_t n = 0; n < params->batches; ++n) {
    advance_state(params, input, feature_weights, state);
    filter_state(params, time_weights, bias, state, output);
    input += params->input_channels;
    state += params->units * params->rank * params->memory;
    output += params->units;
  }
}
