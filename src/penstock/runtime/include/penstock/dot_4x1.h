/* Products of four output channels with one row of values. Internal to ps_fully_connected_dsp_s8. */
#ifndef PENSTOCK_DOT_4X1_H
#define PENSTOCK_DOT_4X1_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Two lines of a Cortex-M7's cache: it has buffers for so many fills. */
enum { PS_DOT_AHEAD_BYTES = 64 };

/* Multiplies values with filters of which two channels share a half-word.
 *
 * values: of each four inputs, the first and third as a pair, then the second and fourth.
 * filters: of each pair of values, two words: half-words are u0 + 256 * c1 for both values, then
 *   u2 + 256 * c3; u0, u2: in [0, 255], c1, c3: in [-128, 127]. Their address is a multiple of 4.
 * fours: of values; at least 1.
 * ahead: bytes behind the filters that belong to the caller and will be multiplied next, at most
 *   PS_DOT_AHEAD_BYTES of them: a core with a data cache may begin to read them.
 * sums: written: those of u0, of u0 + 256 * c1, of u2, of u2 + 256 * c3, modulo 2^32.
 */
void ps_dot_4x1(const uint32_t *values, const int8_t *filters, int32_t fours, uint32_t *sums,
                int32_t ahead);

#ifdef __cplusplus
}
#endif

#endif
