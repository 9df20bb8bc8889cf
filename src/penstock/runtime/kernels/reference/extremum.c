/* Larger and smaller of two tensors' elements. */
#include "penstock/elementwise.h"

/* Defines a kernel that keeps the left element where `left COMPARISON right`, else the right. */
#define DEFINE_EXTREMUM(NAME, TYPE, COMPARISON)                                                    \
  void NAME(const ps_extremum_params *params, const TYPE *left, const TYPE *right, TYPE *output) { \
    int32_t index[PS_RUN] = {0};                                                                   \
    do {                                                                                           \
      const TYPE *l = left + ps_run_offset(params->left_strides, index);                           \
      const TYPE *r = right + ps_run_offset(params->right_strides, index);                         \
      TYPE *o = output + ps_run_offset(params->output_strides, index);                             \
      for (int32_t i = 0; i < params->extents[PS_RUN]; ++i) {                                      \
        *o = *l COMPARISON * r ? *l : *r;                                                          \
        l += params->left_strides[PS_RUN];                                                         \
        r += params->right_strides[PS_RUN];                                                        \
        o += params->output_strides[PS_RUN];                                                       \
      }                                                                                            \
    } while (ps_next_run(params->extents, index));                                                 \
  }

DEFINE_EXTREMUM(ps_maximum_s8, int8_t, >)
DEFINE_EXTREMUM(ps_maximum_s16, int16_t, >)
DEFINE_EXTREMUM(ps_minimum_s8, int8_t, <)
DEFINE_EXTREMUM(ps_minimum_s16, int16_t, <)
