/* Fully connected layer.
 *
 *   output[n, c] = clamp(output_offset + scale(bias[c] +
 *       sum over k of (input[n, k] + input_offset) * (filters[c, k] + filter_offset)))
 *
 * scale() multiplies by mantissas[c] * 2^exponents[c], a real factor in double precision
 * (penstock/real_scaling.h).
 */
#ifndef PENSTOCK_FULLY_CONNECTED_H
#define PENSTOCK_FULLY_CONNECTED_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ps_fully_connected_params {
  int32_t batches;
  int32_t input_channels;
  int32_t output_channels;
  int32_t input_offset;   /* minus the input's zero point: [-127, 128]; int16: 0 */
  int32_t filter_offset;  /* minus the filters' zero point: 0 but in legacy models; int16: 0 */
  int32_t output_offset;  /* the output's zero point: [-128, 127]; int16: 0 */
  int32_t factor_step;    /* 1: a mantissa and exponent for each channel; 0: one for all */
  int32_t narrow_sums;    /* int16 only: 1 where sums wrap to 32 bits; int8: 0 */
  int32_t activation_min; /* within the range of the output's type, as is the next */
  int32_t activation_max;
} ps_fully_connected_params;

/* Multiplies int8.
 *
 * input: [batches, input_channels]; output: [batches, output_channels]; they must not overlap.
 * filters: [output_channels, input_channels].
 * bias: [output_channels], or NULL for zeros.
 * mantissas: within [2^52, 2^53); exponents: [output_channels] or [1] each; see factor_step.
 */
void ps_fully_connected_s8(const ps_fully_connected_params *params, const int8_t *input,
                           const int8_t *filters, const int32_t *bias, const int64_t *mantissas,
                           const int16_t *exponents, int8_t *output);

/* Multiplies int16 activations with int8 filters.
 *
 * Sums have 64 bits, |bias| < 2^46, unless narrow_sums says otherwise (models whose bias has 32
 * bits). All zero points are 0. Otherwise as ps_fully_connected_s8.
 */
void ps_fully_connected_s16(const ps_fully_connected_params *params, const int16_t *input,
                            const int8_t *filters, const int64_t *bias, const int64_t *mantissas,
                            const int16_t *exponents, int16_t *output);

#ifdef __cplusplus
}
#endif

#endif
