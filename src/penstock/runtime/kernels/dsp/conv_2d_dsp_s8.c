/* Convolution of int8 with filters of int8. */
#include "penstock/conv_2d_dsp.h"

#include "penstock/convolve_widened.h"
#include "penstock/dsp.h"
#include "penstock/multiply_4x1.h"

/* Writes the words of a block of filters. tap_pairs: even. */
static void widen_filters(const uint8_t *filters, int32_t offset, int32_t tap_pairs,
                          uint32_t *words) {
  const uint32_t addends = ps_pair(offset, offset);
  for (; tap_pairs > 0; tap_pairs -= 2) {
    const uint32_t first = ps_load_word(filters);
    const uint32_t second = ps_load_word(filters + 4);
    const uint32_t third = ps_load_word(filters + 8);
    const uint32_t fourth = ps_load_word(filters + 12);
    words[0] = ps_widen_even(addends, first);
    words[1] = ps_widen_odd(addends, first);
    words[2] = ps_widen_even(addends, second);
    words[3] = ps_widen_odd(addends, second);
    words[4] = ps_widen_even(addends, third);
    words[5] = ps_widen_odd(addends, third);
    words[6] = ps_widen_even(addends, fourth);
    words[7] = ps_widen_odd(addends, fourth);
    words += 8;
    filters += 16;
  }
}

static void multiply(const uint32_t *values, PS_UNUSED int32_t total, const uint8_t *filters,
                     int32_t tap_pairs, int32_t *sums) {
  ps_multiply_4x1(values, (const int8_t *)filters, tap_pairs, sums);
}

void ps_conv_2d_dsp_s8(const ps_conv_2d_params *params, const int8_t *input, const int8_t *filters,
                       const int32_t *scaling, uint32_t *scratch, int8_t *output) {
  static const ps_filter_form form = {8, widen_filters, multiply};
  ps_convolve_widened(params, input, (const uint8_t *)filters, &form, scaling, scratch, output);
}
