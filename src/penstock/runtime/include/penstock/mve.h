/* Helium (the M-profile vector extension of Armv8.1-M), and how its kernels make outputs of sums. */
#ifndef PENSTOCK_MVE_H
#define PENSTOCK_MVE_H

#include <stdint.h>

#include "penstock/fixed_point.h"

#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__)
#define PS_HAS_MVE 1
#include <arm_mve.h>
#else
#define PS_HAS_MVE 0
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum {
  PS_MVE_LANES = 4, /* int32 in a vector */
  PS_MVE_BYTES = 16 /* int8 in a vector */
};

/* How the sums of four channels become outputs: as ps_requantize of what is in the same lane. */
typedef struct ps_mve_scaling {
  int32_t bias[PS_MVE_LANES]; /* with what the input's zero point contributes */
  int32_t multiplier[PS_MVE_LANES];
  int32_t left[PS_MVE_LANES];  /* the shift where it is above 0, else 0 */
  int32_t right[PS_MVE_LANES]; /* the shift where it is below 0, else 0 */
} ps_mve_scaling;

#if PS_HAS_MVE

/* Steps of ps_requantize of four sums in assembly. scaling: an address in a register that has its
 * multipliers, left and right shifts at these distances; spare, other: registers to overwrite.
 * The second takes factors below 1/2 only: each has a right shift. */
#define PS_MVE_REQUANTIZE(sums, spare, other, scaling, multiplier, left, right) \
  "vldrw.u32 " spare ", [" scaling ", #" left "]\n"                             \
  "vldrw.u32 " other ", [" scaling ", #" multiplier "]\n"                       \
  "vshl.s32 " sums ", " sums ", " spare "\n"                                    \
  "vldrw.u32 " spare ", [" scaling ", #" right "]\n"                            \
  "vqrdmulh.s32 " sums ", " sums ", " other "\n"                                \
  "vand " other ", " sums ", " spare "\n" /* halves are rounded up: */          \
  "vshr.s32 " other ", " other ", #31\n"  /* below zero one less makes it down */ \
  "vqadd.s32 " sums ", " sums ", " other "\n"                                   \
  "vrshl.s32 " sums ", " sums ", " spare "\n"

#define PS_MVE_REQUANTIZE_SMALL(sums, spare, other, scaling, multiplier, left, right) \
  "vldrw.u32 " other ", [" scaling ", #" multiplier "]\n"                             \
  "vldrw.u32 " spare ", [" scaling ", #" right "]\n"                                  \
  "vqrdmulh.s32 " sums ", " sums ", " other "\n"                                      \
  "vshr.s32 " other ", " sums ", #31\n"                                               \
  "vqadd.s32 " sums ", " sums ", " other "\n"                                         \
  "vrshl.s32 " sums ", " sums ", " spare "\n"

/* Returns whether all factors are below 1/2. */
static inline int ps_mve_scales_small(const ps_mve_scaling *scaling, int32_t blocks) {
  int32x4_t largest = vdupq_n_s32(-1);
  for (; blocks > 0; --blocks) {
    largest = vmaxq_s32(largest, vldrwq_s32(scaling->right)); /* 0 where the left one is not */
    ++scaling;
  }
  return vmaxvq_s32(-1, largest) < 0;
}

#else

/* Returns an output of a sum without its bias; lane: of the four channels. */
static inline int8_t ps_mve_scale_lane(int32_t sum, const ps_mve_scaling *scaling, int32_t lane,
                                       int32_t output_offset, int32_t low, int32_t high) {
  const int32_t total = ps_add_wrapping(sum, scaling->bias[lane]);
  const int32_t shift = scaling->left[lane] + scaling->right[lane];
  const int32_t scaled = ps_requantize(total, scaling->multiplier[lane], shift);
  return (int8_t)ps_offset_and_clamp(scaled, output_offset, low, high);
}

#endif

#ifdef __cplusplus
}
#endif

#endif
