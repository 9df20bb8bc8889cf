/* How fully connected layers make outputs of sums: in 64 bits, what the reference does in doubles. */
#ifndef PENSTOCK_SUM_SCALING_H
#define PENSTOCK_SUM_SCALING_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PS_REAL_SCALING_WORDS = 4 };

/* Returns an output before it is limited.
 *
 * scaling: multiplier, shift, lower and upper half of what the product begins with; see
 *   penstock/fully_connected_dsp.h.
 */
static inline int32_t ps_scale_real(int32_t sum, const int32_t *scaling) {
  const int64_t start = (int64_t)scaling[3] * 4294967296 + (uint32_t)scaling[2];
  return (int32_t)(((int64_t)sum * scaling[0] + start) >> 32) >> scaling[1];
}

#ifdef __cplusplus
}
#endif

#endif
