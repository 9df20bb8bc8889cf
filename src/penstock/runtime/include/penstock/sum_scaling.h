/* How fully connected layers make outputs of sums, in 64 bits what the reference does in doubles. */
#ifndef PENSTOCK_SUM_SCALING_H
#define PENSTOCK_SUM_SCALING_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PS_REAL_SCALING_WORDS = 5 };

/* Returns an output before it is limited.
 *
 * scaling: bias, multiplier as two signed words u * 2^32 + l, rounding, shift; see
 *   penstock/fully_connected_dsp.h.
 */
static inline int32_t ps_scale_real(int32_t product, const int32_t *scaling) {
  const int32_t sum = product + scaling[0];
  const int32_t lower = (int32_t)((int64_t)sum * scaling[2] >> 32);
  const int32_t upper = (int32_t)(((int64_t)sum * scaling[1] + lower) >> 30);
  return (upper + scaling[3]) >> scaling[4];
}

#ifdef __cplusplus
}
#endif

#endif
