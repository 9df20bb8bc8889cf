/* A row of inputs of a fully connected layer, widened. Internal to the kernels with the DSP extension. */
#ifndef PENSTOCK_WIDEN_ROW_H
#define PENSTOCK_WIDEN_ROW_H

#include "penstock/dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ps_row {
  int32_t fours;
  int32_t sum; /* of all values */
} ps_row;

/* Widens values to pairs, (0, 2) and (1, 3) of each four. */
static inline ps_row ps_widen_row(const int8_t *values, int32_t count, uint32_t *pairs) {
  const uint32_t ones = 0x00010001U;
  ps_row out = {0, 0};
  for (; count > 0; count -= 4) {
    uint32_t word = 0;
    if (count >= 4) {
      word = ps_load_word(values);
    } else {
      for (int32_t i = 0; i < count; ++i) {
        word |= (uint32_t)(uint8_t)values[i] << (8 * i);
      }
    }
    pairs[0] = ps_even_bytes(word);
    pairs[1] = ps_odd_bytes(word);
    out.sum = ps_multiply_pairs(pairs[0], ones, out.sum);
    out.sum = ps_multiply_pairs(pairs[1], ones, out.sum);
    pairs += 2;
    values += 4;
    ++out.fours;
  }
  return out;
}

#ifdef __cplusplus
}
#endif

#endif
