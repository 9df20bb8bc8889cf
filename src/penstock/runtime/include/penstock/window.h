/* The part of a filter or pooling window that lies inside the input.
 *
 * Kernels clip the window once per output position; their inner loops then never test for padding.
 */
#ifndef PENSTOCK_WINDOW_H
#define PENSTOCK_WINDOW_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Taps [first, end) of one dimension: first <= end. */
typedef struct ps_window {
  int32_t first;
  int32_t end;
} ps_window;

/* Returns the taps k in [0, taps) with 0 <= origin + k * dilation < extent.
 *
 * origin: input position of tap 0, negative within padding. dilation >= 1.
 */
static inline ps_window ps_clip_window(int32_t origin, int32_t dilation, int32_t taps,
                                       int32_t extent) {
  ps_window window = {0, taps};
  if (origin < 0) {
    window.first = (dilation - 1 - origin) / dilation;
  }
  if (origin + (taps - 1) * dilation >= extent) {
    window.end = origin < extent ? (extent - origin + dilation - 1) / dilation : 0;
  }
  if (window.first > window.end) {
    window.first = window.end;
  }
  return window;
}

#ifdef __cplusplus
}
#endif

#endif
