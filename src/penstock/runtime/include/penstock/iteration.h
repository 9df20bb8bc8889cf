/* Walks over tensors of up to PS_RANK_MAX dimensions by extents and strides.
 *
 * The last dimension is the run: kernels loop over it themselves. Tensors of fewer dimensions have
 * leading extents of 1. Strides count elements; 0 repeats an element (broadcasting) and negative
 * ones go backwards. Every extent is at least 1.
 */
#ifndef PENSTOCK_ITERATION_H
#define PENSTOCK_ITERATION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PS_RANK_MAX = 6, PS_RUN = PS_RANK_MAX - 1 };

/* Returns the offset of the run at index. */
static inline int32_t ps_run_offset(const int32_t *strides, const int32_t *index) {
  int32_t offset = 0;
  for (int32_t axis = 0; axis < PS_RUN; ++axis) {
    offset += strides[axis] * index[axis];
  }
  return offset;
}

/* Moves index (PS_RUN elements, first all 0) to the next run; returns 0 after the last. */
static inline int ps_next_run(const int32_t *extents, int32_t *index) {
  for (int32_t axis = PS_RUN - 1; axis >= 0; --axis) {
    if (++index[axis] < extents[axis]) {
      return 1;
    }
    index[axis] = 0;
  }
  return 0;
}

#ifdef __cplusplus
}
#endif

#endif
