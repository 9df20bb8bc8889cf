/* Depthwise convolution of int8 with Helium: 16 channels of a pixel at once.
 *
 * Products of two taps are added as int16, which they fit, and then to sums of 32 bits: the bottom
 * and top halves of the vectors of products of bottom and top bytes.
 */
#include "penstock/depthwise_conv_2d_mve.h"

#include "penstock/mve.h"

enum { GROUPS = PS_MVE_BYTES / PS_MVE_LANES };

/* What the outputs of a pixel are made of. A tap's channels are at base + taps[tap]: addresses,
 * where some of them are padding, or what the taps of all other pixels have in common. */
typedef struct pixel {
  const uintptr_t *taps;
  uintptr_t base;
  int32_t count; /* of taps */
  int is_small;  /* whether all factors are below 1/2 */
} pixel;

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

/* Of 16 channels of a pixel, or those that a mask has; masked bytes are neither read nor written. An
 * odd tap comes first. */
#define PS_CONVOLVE(requantize)                                                            \
  __asm__ volatile(                                                                        \
      "vmsr p0, %[mask]\n"                                                                 \
      "vldrw.u32 q0, [%[scaling]]\n"                                                       \
      "vldrw.u32 q1, [%[scaling], #64]\n"                                                  \
      "vldrw.u32 q2, [%[scaling], #128]\n"                                                 \
      "vldrw.u32 q3, [%[scaling], #192]\n"                                                 \
      "lsrs lr, %[count], #1\n"                                                            \
      "bcc 1f\n"                                                                           \
      "ldr %[first], [%[taps]], #4\n"                                                      \
      "vldrb.u8 q5, [%[filters]], #16\n"                                                   \
      "add %[first], %[base]\n"                                                            \
      "vpst\n"                                                                             \
      "vldrbt.u8 q4, [%[first]]\n"                                                         \
      "vmullb.s8 q6, q4, q5\n"                                                             \
      "vmullt.s8 q4, q4, q5\n"                                                             \
      PS_ADD_HALVES                                                                        \
      "1:\n"                                                                               \
      "wls lr, lr, 3f\n"                                                                   \
      "2:\n"                                                                               \
      "ldrd %[first], %[second], [%[taps]], #8\n"                                          \
      "add %[first], %[base]\n"                                                            \
      "vldrb.u8 q5, [%[filters]], #16\n"                                                   \
      "add %[second], %[base]\n"                                                           \
      "vpst\n"                                                                             \
      "vldrbt.u8 q4, [%[first]]\n"                                                         \
      "vmullb.s8 q6, q4, q5\n"                                                             \
      "vmullt.s8 q4, q4, q5\n"                                                             \
      "vldrb.u8 q5, [%[filters]], #16\n"                                                   \
      "vpst\n"                                                                             \
      "vldrbt.u8 q7, [%[second]]\n"                                                        \
      "vmullb.s8 q7, q7, q5\n"                                                             \
      "vadd.i16 q6, q6, q7\n"                                                              \
      "vpst\n"                                                                             \
      "vldrbt.u8 q7, [%[second]]\n" /* again: there is no other register */                \
      "vmullt.s8 q7, q7, q5\n"                                                             \
      "vadd.i16 q4, q4, q7\n"                                                              \
      PS_ADD_HALVES                                                                        \
      "le lr, 2b\n"                                                                        \
      "3:\n"                                                                               \
      PS_SCALE_16(requantize)                                                              \
      "vqadd.s32 q0, q0, %[offset]\n"                                                      \
      "vqadd.s32 q1, q1, %[offset]\n"                                                      \
      "vqadd.s32 q2, q2, %[offset]\n"                                                      \
      "vqadd.s32 q3, q3, %[offset]\n"                                                      \
      "vqmovnb.s32 q4, q0\n"                                                               \
      "vqmovnt.s32 q4, q1\n"                                                               \
      "vqmovnb.s32 q5, q2\n"                                                               \
      "vqmovnt.s32 q5, q3\n"                                                               \
      "vdup.8 q1, %[low]\n"                                                                \
      "vqmovnb.s16 q0, q4\n"                                                               \
      "vdup.8 q2, %[high]\n"                                                               \
      "vqmovnt.s16 q0, q5\n"                                                               \
      "vmax.s8 q0, q0, q1\n"                                                               \
      "vmin.s8 q0, q0, q2\n"                                                               \
      "vpst\n"                                                                             \
      "vstrbt.8 q0, [%[output]]\n"                                                         \
      : [taps] "+r"(taps), [filters] "+r"(filters), [first] "=&r"(first),                  \
        [second] "=&r"(second)                                                             \
      : [base] "r"(in->base), [count] "r"(in->count), [scaling] "r"(scaling),              \
        [output] "r"(output), [mask] "r"(mask), [offset] "r"(params->output_offset),       \
        [low] "r"(params->activation_min), [high] "r"(params->activation_max)              \
      : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory")

static void convolve_masked(const ps_conv_2d_params *params, const pixel *in, uint32_t mask,
                            const int8_t *filters, const ps_mve_scaling *scaling, int8_t *output) {
  const uintptr_t *taps = in->taps;
  uintptr_t first;
  uintptr_t second;
  if (in->is_small) {
    PS_CONVOLVE(PS_MVE_REQUANTIZE_SMALL);
  } else {
    PS_CONVOLVE(PS_MVE_REQUANTIZE);
  }
}

/* Computes 16 channels of a pixel; in->taps begin at the first of them. */
static void convolve_block(const ps_conv_2d_params *params, const pixel *in, const int8_t *filters,
                           const ps_mve_scaling *scaling, int8_t *output) {
  convolve_masked(params, in, 0xFFFFU, filters, scaling, output);
}

/* Computes fewer than 16 channels; nothing behind them is read or written. */
static void convolve_few(const ps_conv_2d_params *params, const pixel *in, int32_t channels,
                         const int8_t *filters, const ps_mve_scaling *scaling, int8_t *output) {
  convolve_masked(params, in, (1U << channels) - 1U, filters, scaling, output);
}

static int scales_small(const ps_mve_scaling *scaling, int32_t blocks) {
  return ps_mve_scales_small(scaling, blocks);
}

#else

static const int8_t *tap_address(const pixel *in, int32_t tap) {
  return (const int8_t *)(in->base + in->taps[tap]);
}

static void convolve_few(const ps_conv_2d_params *params, const pixel *in, int32_t channels,
                         const int8_t *filters, const ps_mve_scaling *scaling, int8_t *output) {
  static const int32_t groups[GROUPS] = {0, 2, 1, 3}; /* of channels 0, 1, 2, 3 */
  for (int32_t lane = 0; lane < channels; ++lane) {
    int32_t sum = 0;
    for (int32_t tap = 0; tap < in->count; ++tap) {
      sum += tap_address(in, tap)[lane] * filters[tap * PS_MVE_BYTES + lane];
    }
    output[lane] = ps_mve_scale_lane(sum, scaling + groups[lane % GROUPS], lane / GROUPS,
                                     params->output_offset, params->activation_min,
                                     params->activation_max);
  }
}

static void convolve_block(const ps_conv_2d_params *params, const pixel *in, const int8_t *filters,
                           const ps_mve_scaling *scaling, int8_t *output) {
  convolve_few(params, in, PS_MVE_BYTES, filters, scaling, output);
}

static int scales_small(const ps_mve_scaling *scaling, int32_t blocks) {
  (void)scaling;
  (void)blocks;
  return 0;
}

#endif

/* Computes all channels of a pixel. The last of many blocks begins where it ends with the last
 * channel, and repeats some of the one before. */
static void convolve_pixel(const ps_conv_2d_params *params, pixel in, const int8_t *filters,
                           const ps_mve_scaling *scaling, int8_t *output) {
  const int32_t last = params->output_channels - PS_MVE_BYTES;
  if (last < 0) {
    convolve_few(params, &in, params->output_channels, filters, scaling, output);
    return;
  }
  for (int32_t channel = 0; channel <= last; channel += PS_MVE_BYTES) {
    convolve_block(params, &in, filters, scaling, output);
    in.base += PS_MVE_BYTES;
    output += PS_MVE_BYTES;
    filters += in.count * PS_MVE_BYTES;
    scaling += GROUPS;
  }
  if (last % PS_MVE_BYTES != 0) {
    const int32_t back = PS_MVE_BYTES - last % PS_MVE_BYTES;
    in.base -= (uintptr_t)back;
    convolve_block(params, &in, filters, scaling, output - back);
  }
}

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
  int is_small;
  int32_t begin; /* columns of outputs whose taps are inside */
  int32_t end;
  int32_t step; /* pixels that are computed together, inside */
} band;

static void convolve_edge(const band *in, const int8_t *input, int32_t row, int32_t x,
                          int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const int32_t column = x * params->stride_width - params->padding_left;
  const pixel seen = {in->taps, 0, in->count, in->is_small};
  find_taps(params, input, row, column, in->padding, in->taps);
  convolve_pixel(params, seen, in->filters, in->scaling, output + x * params->output_column_stride);
}

/* Computes a row of outputs; row: of the input, where it begins. */
static void convolve_row(const band *in, const int8_t *input, int32_t row, int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const int32_t reach = (params->filter_height - 1) * params->dilation_height;
  const int is_inside = row >= 0 && row + reach < params->input_height;
  const int32_t begin = is_inside ? in->begin : params->output_width;
  pixel seen = {in->distances, 0, in->count, in->is_small};
  int32_t x = 0;
  for (; x < begin; ++x) {
    convolve_edge(in, input, row, x, output);
  }
  seen.base = (uintptr_t)input +
              (uintptr_t)(row * params->input_row_stride +
                          (x * params->stride_width - params->padding_left) *
                              params->input_column_stride);
  for (; x + in->step <= in->end; x += in->step) {
    int8_t *to = output + x * params->output_column_stride;
    if (in->step > 1) {
      convolve_block(params, &seen, in->filters, in->scaling, to);
    } else {
      convolve_pixel(params, seen, in->filters, in->scaling, to);
    }
    seen.base += (uintptr_t)(in->step * params->stride_width * params->input_column_stride);
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
  in.step = count_together(params);
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
