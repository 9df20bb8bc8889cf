/* Products of four output channels of four bits with one row of values. Internal to the
 * kernels with _int4_dsp_ in their name. */
#ifndef PENSTOCK_DOT_INT4_4X1_H
#define PENSTOCK_DOT_INT4_4X1_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Multiplies values with filters of which two channels share a half-word.
 *
 * values: of each four inputs, the first and third as a pair, then the second and fourth.
 * filters: of each pair of values a word, in the lower halves of whose bytes are u0, u1 for the first and
 *   then for the second value, in the upper halves u2, u3; all of them within [0, 15]. Their address is a
 *   multiple of 4.
 * fours: of values; at least 1.
 * sums: written: those of u0, of u0 + 256 * u1, of u2, of u2 + 256 * u3, modulo 2^32.
 */
void ps_dot_int4_4x1(const uint32_t *values, const uint8_t *filters, int32_t fours, uint32_t *sums);

#ifdef __cplusplus
}
#endif

#endif
