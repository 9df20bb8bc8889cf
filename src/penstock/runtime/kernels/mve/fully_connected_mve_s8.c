/* Fully connected layer of int8 with Helium: four output channels at once, 16 inputs each. */
#include "penstock/fully_connected_mve.h"

#include "penstock/fixed_point.h"
#include "penstock/mve.h"
#include "penstock/sum_scaling.h"

/* Adds up the products of a block of four channels; filters of 16 inputs follow one another. */
static void multiply_block(const int8_t *values, int32_t count, const int8_t *filters,
                           int32_t *sums) {
#if PS_HAS_MVE
  __asm__ volatile(
      "mov r4, #0\n"
      "mov r6, #0\n"
      "mov r8, #0\n"
      "mov r10, #0\n"
      "dlstp.8 lr, %[count]\n"
      "1:\n"
      "vldrb.u8 q0, [%[values]], #16\n"
      "vldrb.u8 q1, [%[filters]], #16\n"
      "vmladava.s8 r4, q0, q1\n"
      "vldrb.u8 q2, [%[filters]], #16\n"
      "vmladava.s8 r6, q0, q2\n"
      "vldrb.u8 q1, [%[filters]], #16\n"
      "vmladava.s8 r8, q0, q1\n"
      "vldrb.u8 q2, [%[filters]], #16\n"
      "vmladava.s8 r10, q0, q2\n"
      "letp lr, 1b\n"
      "stm %[sums], {r4, r6, r8, r10}\n"
      : [values] "+r"(values), [filters] "+r"(filters)
      : [count] "r"(count), [sums] "r"(sums)
      : "r4", "r6", "r8", "r10", "lr", "q0", "q1", "q2", "memory");
#else
  for (int32_t lane = 0; lane < PS_MVE_LANES; ++lane) {
    sums[lane] = 0;
    for (int32_t n = 0; n < count; ++n) {
      const int32_t step = n / PS_MVE_BYTES;
      sums[lane] += values[n] * filters[(step * PS_MVE_LANES + lane) * PS_MVE_BYTES +
                                        n % PS_MVE_BYTES];
    }
  }
#endif
}

void ps_fully_connected_mve_s8(const ps_fully_connected_params *params, const int8_t *input,
                               const int8_t *filters, const int32_t *scaling, int8_t *output) {
  const int32_t channels = params->output_channels;
  const int32_t count = params->input_channels;
  const int32_t block_bytes =
      (count + PS_MVE_BYTES - 1) / PS_MVE_BYTES * PS_MVE_BYTES * PS_MVE_LANES;
  for (int32_t n = 0; n < params->batches; ++n) {
    const int8_t *block = filters;
    const int32_t *constants = scaling;
    for (int32_t channel = 0; channel < channels; channel += PS_MVE_LANES) {
      const int32_t left = channels - channel;
      int32_t sums[PS_MVE_LANES];
      multiply_block(input, count, block, sums);
      for (int32_t lane = 0; lane < PS_MVE_LANES && lane < left; ++lane) {
        const int32_t scaled = ps_scale_real(sums[lane], constants);
        output[channel + lane] =
            (int8_t)ps_clamp(scaled, params->activation_min, params->activation_max);
        constants += PS_REAL_SCALING_WORDS;
      }
      block += block_bytes;
    }
    input += count;
    output += channels;
  }
}
