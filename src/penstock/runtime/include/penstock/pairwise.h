/* The walk that kernels on two tensors share. Internal to these. */
#ifndef PENSTOCK_PAIRWISE_H
#define PENSTOCK_PAIRWISE_H

#include "penstock/iteration.h"

/* Defines the kernel NAME, which writes FUNCTION(params, left, right) for each pair of elements. */
#define PS_DEFINE_PAIRWISE(NAME, PARAMS, TYPE, FUNCTION)                               \
  void NAME(const PARAMS *params, const TYPE *left, const TYPE *right, TYPE *output) { \
    int32_t index[PS_RUN] = {0};                                                       \
    do {                                                                               \
      const TYPE *l = left + ps_run_offset(params->left_strides, index);               \
      const TYPE *r = right + ps_run_offset(params->right_strides, index);             \
      TYPE *o = output + ps_run_offset(params->output_strides, index);                 \
      for (int32_t i = 0; i < params->extents[PS_RUN]; ++i) {                          \
        *o = (TYPE)FUNCTION(params, *l, *r);                                           \
        l += params->left_strides[PS_RUN];                                             \
        r += params->right_strides[PS_RUN];                                            \
        o += params->output_strides[PS_RUN];                                           \
      }                                                                                \
    } while (ps_next_run(params->extents, index));                                     \
  }

#endif
