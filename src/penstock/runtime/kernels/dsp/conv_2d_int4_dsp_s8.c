/* Convolution of int8 with filters of four bits. */
#include "penstock/conv_2d_int4_dsp.h"

#include "penstock/convolve_widened.h"
#include "penstock/dot_int4_4x1.h"
#include "penstock/dsp.h"

enum { LOWEST = 8 }; /* added to each filter */

#define HALVES 0x0F0F0F0FU

/* Writes the words of a block of filters. */
static void widen_filters(const uint8_t *filters, int32_t offset, int32_t tap_pairs,
                          uint32_t *words) {
  const uint32_t addends = ps_pair(offset - LOWEST, offset - LOWEST);
  for (; tap_pairs > 0; tap_pairs -= 2) {
    const uint32_t first = ps_load_word(filters);
    const uint32_t second = ps_load_word(filters + 4);
    const uint32_t first_low = first & HALVES;
    const uint32_t first_high = first >> 4 & HALVES;
    const uint32_t second_low = second & HALVES;
    const uint32_t second_high = second >> 4 & HALVES;
    words[0] = ps_widen_even(addends, first_low);
    words[1] = ps_widen_odd(addends, first_low);
    words[2] = ps_widen_even(addends, first_high);
    words[3] = ps_widen_odd(addends, first_high);
    words[4] = ps_widen_even(addends, second_low);
    words[5] = ps_widen_odd(addends, second_low);
    words[6] = ps_widen_even(addends, second_high);
    words[7] = ps_widen_odd(addends, second_high);
    words += 8;
    filters += 8;
  }
}

static void multiply(const uint32_t *values, int32_t total, const uint8_t *filters,
                     int32_t tap_pairs, int32_t *sums) {
  uint32_t found[4];
  ps_dot_int4_4x1(values, filters, tap_pairs / 2, found);
  for (int32_t lane = 0; lane < 4; lane += 2) {
    sums[lane] += (int32_t)found[lane] - LOWEST * total;
    sums[lane + 1] += ((int32_t)(found[lane + 1] - found[lane]) >> 8) - LOWEST * total;
  }
}

void ps_conv_2d_int4_dsp_s8(const ps_conv_2d_params *params, const int8_t *input,
                            const uint8_t *filters, const int32_t *scaling, uint32_t *scratch,
                            int8_t *output) {
  static const ps_filter_form form = {4, widen_filters, multiply};
  ps_convolve_widened(params, input, filters, &form, scaling, scratch, output);
}
