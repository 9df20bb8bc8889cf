/* Softmax over rows: the probabilities of values that are logarithms of odds. */
#ifndef PENSTOCK_SOFTMAX_H
#define PENSTOCK_SOFTMAX_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ps_softmax_params {
  int32_t rows;
  int32_t columns;    /* elements of a row: [1, 4095] */
  int32_t table_size; /* [1, 256] */
} ps_softmax_params;

/* int8 in, int8 out with scale 1/256 and zero point -128.
 *
 * exponentials: [table_size], exp(-i * scale * beta) in Q0.31; differences from a row's maximum of
 *     table_size and more give probability 0.
 * output: may be the same memory as input.
 */
void ps_softmax_s8(const ps_softmax_params *params, const int8_t *input,
                   const int32_t *exponentials, int8_t *output);

/* The same with int16 output of scale 1/65536 and zero point -32768; it must not overlap input. */
void ps_softmax_s8_s16(const ps_softmax_params *params, const int8_t *input,
                       const int32_t *exponentials, int16_t *output);

typedef struct ps_softmax_s16_params {
  int32_t rows;
  int32_t columns;    /* elements of a row: [1, 65535] */
  int32_t multiplier; /* maps a difference of -10.0 to -65535 */
  int32_t shift;
} ps_softmax_s16_params;

/* int16 in, int16 out with scale 1/32768 and zero point 0.
 *
 * exponentials: [513], exp over [-10, 0]; reciprocals: [513], 1 / (1 + x) over [0, 1]; both Q0.15.
 * output: must not overlap input.
 */
void ps_softmax_s16(const ps_softmax_s16_params *params, const int16_t *input,
                    const int16_t *exponentials, const int16_t *reciprocals, int16_t *output);

typedef struct ps_softmax_f32_params {
  int32_t rows;
  int32_t columns; /* elements of a row: >= 1 */
  float beta;      /* >= 0; factor of the input; log-softmax: 1 */
} ps_softmax_f32_params;

/* float32. Exponentials and logarithms are computed here in double precision: no libm is needed,
 * and results are within 2 units in the last place of a correctly rounded C library's.
 * output: may be the same memory as input. */
void ps_softmax_f32(const ps_softmax_f32_params *params, const float *input, float *output);

/* The logarithm of softmax. output: may be the same memory as input. */
void ps_log_softmax_f32(const ps_softmax_f32_params *params, const float *input, float *output);

#ifdef __cplusplus
}
#endif

#endif
