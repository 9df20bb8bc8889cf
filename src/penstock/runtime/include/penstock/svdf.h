/* One step of a rank-decomposed recurrent filter (SVDF).
 *
 * Each of rank * units filters appends requantize(features . input) to its history, drops the
 * oldest entry, and is weighted over time; rank adjacent filters and a bias add up to an output.
 *
 * Source: Nakkiran et al., "Compressing Deep Neural Networks using a Rank-Constrained Topology",
 * Interspeech 2015.
 */
#ifndef PENSTOCK_SVDF_H
#define PENSTOCK_SVDF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ps_svdf_params {
  int32_t batches;
  int32_t input_channels;
  int32_t units;
  int32_t rank;
  int32_t memory;       /* entries of a filter's history */
  int32_t input_offset; /* minus the zero point */
  int32_t feature_multiplier;
  int32_t feature_shift;
  int32_t state_offset;  /* the state's zero point; int16: 0 */
  int32_t output_offset; /* the zero point */
  int32_t output_multiplier;
  int32_t output_shift;
  int32_t activation_min;
  int32_t activation_max;
} ps_svdf_params;

/* State and time weights are int8.
 *
 * input: [batches, input_channels].
 * feature_weights: [units * rank, input_channels].
 * time_weights: [units * rank, memory].
 * bias: [units], or NULL for zeros.
 * state: [batches, units * rank, memory], state_offset before the first step; read and written.
 * output: [batches, units]; must not overlap input.
 */
void ps_svdf_s8(const ps_svdf_params *params, const int8_t *input, const int8_t *feature_weights,
                const int8_t *time_weights, const int32_t *bias, int8_t *state, int8_t *output);

/* The same with int16 state and time weights. */
void ps_svdf_state_s16_s8(const ps_svdf_params *params, const int8_t *input,
                          const int8_t *feature_weights, const int16_t *time_weights,
                          const int32_t *bias, int16_t *state, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
