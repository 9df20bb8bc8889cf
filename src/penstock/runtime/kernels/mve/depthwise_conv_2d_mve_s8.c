/* Depthwise convolution of int8 with Helium: 16 channels of a pixel at once.
 *
 * Products of two taps are added as int16, which they fit, and then to sums of 32 bits: the bottom
 * and top halves of the vectors of products of bottom and top bytes.
 */
#include "penstock/depthwise_conv_2d_mve.h"

#include "penstock/mve.h"

enum { GROUPS = PS_MVE_BYTES / PS_MVE_LANES };

/* Pixels beside one another, and 16 channels of them or fewer. A tap's channels are at base +
 * taps[tap]: addresses, where some of them are padding, or what the taps of all pixels have in common.
 * The assembly reads this where it needs it, in this order, and counts in it: it takes all registers
 * but the frame pointer. */
typedef struct run {
  const uintptr_t *taps;
  const int8_t *filters;
  uintptr_t base;
  int32_t step; /* from a pixel's taps to those of the next */
  int32_t pixels;
  int8_t *output;
  int32_t output_step;
  const ps_mve_scaling *scaling;
  int32_t offset;
  int32_t count; /* of taps */
  int32_t low;
  int32_t high;
  uint32_t mask; /* a bit for each channel that there is */
} run;

#if PS_HAS_MVE

/* Adds a tap of 16 channels. */
#define PS_ADD_HALVES                 \
  "vmovlb.s16 q5, q6\n"               \
  "vadd.i32 q0, q0, q5\n"             \
  "vmovlt.s16 q6, q6\n"               \
  "vadd.i32 q1, q1, q6\n"             \
  "vmovlb.s16 q5, q4\n"               \
  "vadd.i32 q2, q2, q5\n"             \
  "vmovlt.s16 q4, q4\n"               \
  "vadd.i32 q3, q3, q4\n"

#define PS_SCALE_16(requantize)                                              \
  requantize("q0", "q4", "q5", "%[scaling]", "16", "32", "48")               \
  requantize("q1", "q4", "q5", "%[scaling]", "80", "96", "112")              \
  requantize("q2", "q4", "q5", "%[scaling]", "144", "160", "176")            \
  requantize("q3", "q4", "q5", "%[scaling]", "208", "224", "240")

/* Computes pixels; masked bytes are neither read nor written. An odd tap comes first. */
#define PS_CONVOLVE_RUN(requantize)                                          \
  __asm__ volatile(                                                          \
      "mov r12, r0\n"                                                        \
      "ldr r0, [r12, #48]\n"                                              \
      "vmsr p0, r0\n"                                                        \
      "ldrd r3, r11, [r12, #8]\n"                                         \
      "ldrd r5, r6, [r12, #28]\n"                                         \
      "ldrd r8, r9, [r12, #40]\n"                                         \
      "ldr r10, [r12, #20]\n"                                             \
      "1:\n"                                                                 \
      "ldr lr, [r12, #36]\n"                                              \
      "ldrd r0, r4, [r12]\n"                                              \
      "vldrw.u32 q0, [r5]\n"                                                 \
      "vldrw.u32 q1, [r5, #64]\n"                                            \
      "vldrw.u32 q2, [r5, #128]\n"                                           \
      "vldrw.u32 q3, [r5, #192]\n"                                           \
      "lsrs lr, lr, #1\n"                                                    \
      "bcc 2f\n"                                                             \
      "ldr r1, [r0], #4\n"                                                   \
      "vldrb.u8 q5, [r4], #16\n"                                             \
      "add r1, r3\n"                                                         \
      "vpst\n"                                                               \
      "vldrbt.u8 q4, [r1]\n"                                                 \
      "vmullb.s8 q6, q4, q5\n"                                               \
      "vmullt.s8 q4, q4, q5\n"                                               \
      PS_ADD_HALVES                                                          \
      "2:\n"                                                                 \
      "wls lr, lr, 4f\n"                                                     \
      "3:\n"                                                                 \
      "ldrd r1, r2, [r0], #8\n"                                              \
      "add r1, r3\n"                                                         \
      "vldrb.u8 q5, [r4], #16\n"                                             \
      "add r2, r3\n"                                                         \
      "vpst\n"                                                               \
      "vldrbt.u8 q4, [r1]\n"                                                 \
      "vmullb.s8 q6, q4, q5\n"                                               \
      "vmullt.s8 q4, q4, q5\n"                                               \
      "vldrb.u8 q5, [r4], #16\n"                                             \
      "vpst\n"                                                               \
      "vldrbt.u8 q7, [r2]\n"                                                 \
      "vmullb.s8 q7, q7, q5\n"                                               \
      "vadd.i16 q6, q6, q7\n"                                                \
      "vpst\n"                                                               \
      "vldrbt.u8 q7, [r2]\n" /* again: there is no other register */         \
      "vmullt.s8 q7, q7, q5\n"                                               \
      "vadd.i16 q4, q4, q7\n"                                                \
      PS_ADD_HALVES                                                          \
      "le lr, 3b\n"                                                          \
      "4:\n"                                                                 \
      requantize("q0", "q4", "q5", "r5", "16", "32", "48")                   \
      requantize("q1", "q4", "q5", "r5", "80", "96", "112")                  \
      requantize("q2", "q4", "q5", "r5", "144", "160", "176")                \
      requantize("q3", "q4", "q5", "r5", "208", "224", "240")                \
      "vqadd.s32 q0, q0, r6\n"                                               \
      "vqadd.s32 q1, q1, r6\n"                                               \
      "vqadd.s32 q2, q2, r6\n"                                               \
      "vqadd.s32 q3, q3, r6\n"                                               \
      "vqmovnb.s32 q4, q0\n"                                                 \
      "vqmovnt.s32 q4, q1\n"                                                 \
      "vqmovnb.s32 q5, q2\n"                                                 \
      "vqmovnt.s32 q5, q3\n"                                                 \
      "vdup.8 q1, r8\n"                                                      \
      "vqmovnb.s16 q0, q4\n"                                                 \
      "vdup.8 q2, r9\n"                                                      \
      "vqmovnt.s16 q0, q5\n"                                                 \
      "ldr r1, [r12, #16]\n"                                              \
      "vmax.s8 q0, q0, q1\n"                                                 \
      "subs r1, #1\n"                                                        \
      "vmin.s8 q0, q0, q2\n"                                                 \
      "ldr r2, [r12, #24]\n"                                              \
      "vpst\n"                                                               \
      "vstrbt.8 q0, [r10]\n"                                                 \
      "add r3, r11\n"                                                        \
      "add r10, r2\n"                                                        \
      "str r1, [r12, #16]\n"                                              \
      "bgt 1b\n"                                                             \
      : "+r"(at)                                                             \
      :                                                                      \
      : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "q0", "q1", \
        "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory")

static void convolve_run(run *part, int is_small) {
  register run *at __asm__("r0") = part;
  if (is_small) {
    PS_CONVOLVE_RUN(PS_MVE_REQUANTIZE_SMALL);
  } else {
    PS_CONVOLVE_RUN(PS_MVE_REQUANTIZE);
  }
}

static int scales_small(const ps_mve_scaling *scaling, int32_t blocks) {
  return ps_mve_scales_small(scaling, blocks);
}

#else

static void convolve_run(run *part, int is_small) {
  static const int32_t groups[GROUPS] = {0, 2, 1, 3}; /* of channels 0, 1, 2, 3 */
  (void)is_small;
  for (; part->pixels > 0; --part->pixels) {
    for (int32_t lane = 0; (part->mask >> lane & 1U) != 0; ++lane) {
      int32_t sum = 0;
      for (int32_t tap = 0; tap < part->count; ++tap) {
        const int8_t *seen = (const int8_t *)(part->base + part->taps[tap]);
        sum += seen[lane] * part->filters[tap * PS_MVE_BYTES + lane];
      }
      part->output[lane] =
          ps_mve_scale_lane(sum, part->scaling + groups[lane % GROUPS], lane / GROUPS,
                            part->offset, part->low, part->high);
    }
    part->base += (uintptr_t)part->step;
    part->output += part->output_step;
  }
}

static int scales_small(const ps_mve_scaling *scaling, int32_t blocks) {
  (void)scaling;
  (void)blocks;
  return 0;
}

#endif

/* Finds the distances of taps from the first one. */
static void measure_taps(const ps_conv_2d_params *params, uintptr_t *taps) {
  for (int32_t y = 0; y < params->filter_height; ++y) {
    for (int32_t x = 0; x < params->filter_width; ++x) {
      *taps++ = (uintptr_t)(y * params->dilation_height * params->input_row_stride +
                            x * params->dilation_width * params->input_column_stride);
    }
  }
}

/* Finds the taps of an output of which some may be padding. */
static void find_taps(const ps_conv_2d_params *params, const int8_t *input, int32_t row,
                      int32_t column, const int8_t *padding, uintptr_t *taps) {
  for (int32_t y = 0; y < params->filter_height; ++y) {
    const int32_t seen = row + y * params->dilation_height;
    const int is_inside = seen >= 0 && seen < params->input_height;
    for (int32_t x = 0; x < params->filter_width; ++x) {
      const int32_t at = column + x * params->dilation_width;
      const int8_t *tap = padding;
      if (is_inside && at >= 0 && at < params->input_width) {
        tap = input + seen * params->input_row_stride + at * params->input_column_stride;
      }
      *taps++ = (uintptr_t)tap;
    }
  }
}

/* Where the taps of outputs are, and constants. */
typedef struct band {
  const ps_conv_2d_params *params;
  const int8_t *filters;
  const ps_mve_scaling *scaling;
  const int8_t *padding;
  uintptr_t *distances;
  uintptr_t *taps; /* of a pixel near an edge */
  int32_t count;
  int is_small;  /* whether all factors are below 1/2 */
  int32_t begin; /* columns of outputs whose taps are inside */
  int32_t end;
  int32_t together; /* pixels in one vector, inside */
} band;

/* Computes all channels of pixels beside one another. The last of many blocks begins where it ends with
 * the last channel, and repeats some of the one before. */
static void convolve_pixels(const band *in, const uintptr_t *taps, uintptr_t base, int32_t pixels,
                            int32_t together, int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const int32_t channels = params->output_channels * together;
  const int32_t last = channels > PS_MVE_BYTES ? channels - PS_MVE_BYTES : 0;
  const int8_t *filters = in->filters;
  const ps_mve_scaling *scaling = in->scaling;
  for (int32_t channel = 0;; channel += PS_MVE_BYTES) {
    const int32_t first = channel < last ? channel : last;
    run part;
    part.taps = taps;
    part.filters = filters;
    part.base = base + (uintptr_t)first;
    part.step = together * params->stride_width * params->input_column_stride;
    part.pixels = pixels;
    part.output = output + first;
    part.output_step = together * params->output_column_stride;
    part.scaling = scaling;
    part.offset = params->output_offset;
    part.count = in->count;
    part.low = params->activation_min;
    part.high = params->activation_max;
    part.mask = channels < PS_MVE_BYTES ? (1U << channels) - 1U : 0xFFFFU;
    convolve_run(&part, in->is_small);
    if (channel >= last) {
      return;
    }
    filters += in->count * PS_MVE_BYTES;
    scaling += GROUPS;
  }
}

static void convolve_edge(const band *in, const int8_t *input, int32_t row, int32_t x,
                          int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const int32_t column = x * params->stride_width - params->padding_left;
  find_taps(params, input, row, column, in->padding, in->taps);
  convolve_pixels(in, in->taps, 0, 1, 1, output + x * params->output_column_stride);
}

/* Computes pixels of a row, all of whose taps are inside. */
static void convolve_inside(const band *in, uintptr_t row, int32_t begin, int32_t end,
                            int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const int32_t groups = (end - begin) / in->together;
  int32_t x = begin;
  for (int32_t turn = 0; turn < 2; ++turn) {
    const int32_t together = turn == 0 ? in->together : 1;
    const int32_t pixels = turn == 0 ? groups : end - x;
    const int32_t column = x * params->stride_width - params->padding_left;
    if (pixels > 0) {
      convolve_pixels(in, in->distances, row + (uintptr_t)(column * params->input_column_stride),
                      pixels, together, output + x * params->output_column_stride);
    }
    x += pixels * together;
  }
}

/* Computes a row of outputs; row: of the input, where it begins. */
static void convolve_row(const band *in, const int8_t *input, int32_t row, int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const int32_t reach = (params->filter_height - 1) * params->dilation_height;
  const int is_inside = row >= 0 && row + reach < params->input_height && in->begin < in->end;
  int32_t x = 0;
  if (is_inside) {
    for (; x < in->begin; ++x) {
      convolve_edge(in, input, row, x, output);
    }
    convolve_inside(in, (uintptr_t)input + (uintptr_t)(row * params->input_row_stride), in->begin,
                    in->end, output);
    x = in->end;
  }
  for (; x < params->output_width; ++x) {
    convolve_edge(in, input, row, x, output);
  }
}

/* Returns how many outputs beside one another have their channels in one vector. */
static int32_t count_together(const ps_conv_2d_params *params) {
  const int32_t channels = params->output_channels;
  const int is_dense = params->input_column_stride == channels &&
                       params->output_column_stride == channels && params->stride_width == 1;
  return is_dense && channels < PS_MVE_BYTES && PS_MVE_BYTES % channels == 0
             ? PS_MVE_BYTES / channels
             : 1;
}

void ps_depthwise_conv_2d_mve_s8(const ps_conv_2d_params *params, const int8_t *input,
                                 const int8_t *filters, const int32_t *scaling, uintptr_t *scratch,
                                 int8_t *output) {
  const int32_t count = params->filter_height * params->filter_width;
  const int32_t reach = (params->filter_width - 1) * params->dilation_width;
  const int32_t inside = params->input_width - reach + params->padding_left; /* where taps end */
  int8_t *padding = (int8_t *)(scratch + 2 * count);
  band in;
  in.params = params;
  in.filters = filters;
  in.scaling = (const ps_mve_scaling *)scaling;
  in.padding = padding;
  in.distances = scratch;
  in.taps = scratch + count;
  in.count = count;
  in.is_small = scales_small(in.scaling, (params->output_channels + PS_MVE_BYTES - 1) /
                                             PS_MVE_BYTES * GROUPS);
  in.begin = (params->padding_left + params->stride_width - 1) / params->stride_width;
  in.begin = in.begin < params->output_width ? in.begin : params->output_width;
  in.end = inside > 0 ? (inside + params->stride_width - 1) / params->stride_width : 0;
  in.end = in.end < params->output_width ? in.end : params->output_width;
  in.together = count_together(params);
  measure_taps(params, in.distances);
  for (int32_t channel = 0; channel < params->input_channels; ++channel) {
    padding[channel] = (int8_t)-params->input_offset;
  }
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; ++y) {
      convolve_row(&in, input, y * params->stride_height - params->padding_top,
                   output + y * params->output_row_stride);
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
