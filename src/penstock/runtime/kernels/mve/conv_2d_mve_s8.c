/* Convolution of int8 with Helium: four output channels of a pixel at once, 16 taps each. */
#include "penstock/conv_2d_mve.h"

#include "penstock/mve.h"

/* What all pixels have in common. */
typedef struct layer {
  const ps_conv_2d_params *params;
  const int8_t *filters;
  const int8_t *last_filters; /* of the block that is not whole */
  const ps_mve_scaling *scaling;
  int8_t *scratch;
  int32_t count;  /* of taps */
  int32_t blocks; /* of four channels */
  int32_t rest;   /* channels besides */
  int is_small;   /* whether all factors are below 1/2 */
  int is_dense;   /* whether what a filter sees of a row is in one piece, and rows are adjacent */
} layer;

#if PS_HAS_MVE

/* Copies bytes, as many as there are. */
static inline void copy_bytes(int8_t *to, const int8_t *from, int32_t count) {
  __asm__ volatile(
      "wlstp.8 lr, %[count], 2f\n"
      "1:\n"
      "vldrb.u8 q0, [%[from]], #16\n"
      "vstrb.8 q0, [%[to]], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      : [to] "+r"(to), [from] "+r"(from)
      : [count] "r"(count)
      : "lr", "q0", "memory");
}

/* Fills bytes with one value. */
static inline void fill_bytes(int8_t *to, int32_t value, int32_t count) {
  __asm__ volatile(
      "vdup.8 q0, %[value]\n"
      "wlstp.8 lr, %[count], 2f\n"
      "1:\n"
      "vstrb.8 q0, [%[to]], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      : [to] "+r"(to)
      : [value] "r"(value), [count] "r"(count)
      : "lr", "q0", "memory");
}

/* Pixels whose taps lie at equal distances. The assembly reads this where it needs it, in this order,
 * and counts in it: it takes all registers but the frame pointer. */
typedef struct run {
  const int8_t *filters;
  const ps_mve_scaling *scaling;
  int32_t step; /* from the taps of a pixel to those of the next */
  int32_t output_step;
  int32_t blocks;
  int32_t pixels;
  int8_t *output;
  const int8_t *taps;
  int32_t count; /* of taps */
  int32_t offset;
  int32_t low;
  int32_t high;
} run;

/* Computes whole blocks of four channels. The inner loop masks the taps behind the last one itself:
 * neither these nor the bytes behind a pixel are read. */
#define PS_CONVOLVE_RUN(requantize)                                          \
  __asm__ volatile(                                                          \
      "mov r12, r0\n"                                                        \
      "ldrd r0, r1, [r12, #36]\n"                                         \
      "vdup.32 q6, r0\n"                                                     \
      "vdup.32 q4, r1\n"                                                     \
      "ldr r0, [r12, #44]\n"                                              \
      "vdup.32 q5, r0\n"                                                     \
      "ldrd r5, r1, [r12, #28]\n"                                         \
      "ldr r0, [r12, #24]\n"                                              \
      "1:\n"                                                                 \
      "ldrd r2, r3, [r12]\n"                                              \
      "ldr r9, [r12, #16]\n"                                              \
      "2:\n"                                                                 \
      "ldm r3, {r4, r6, r8, r10}\n"                                          \
      "mov r11, r5\n"                                                        \
      "dlstp.8 lr, r1\n"                                                     \
      "3:\n"                                                                 \
      "vldrb.u8 q0, [r11], #16\n"                                            \
      "vldrb.u8 q1, [r2], #16\n"                                             \
      "vmladava.s8 r4, q0, q1\n"                                             \
      "vldrb.u8 q2, [r2], #16\n"                                             \
      "vmladava.s8 r6, q0, q2\n"                                             \
      "vldrb.u8 q1, [r2], #16\n"                                             \
      "vmladava.s8 r8, q0, q1\n"                                             \
      "vldrb.u8 q2, [r2], #16\n"                                             \
      "vmladava.s8 r10, q0, q2\n"                                            \
      "letp lr, 3b\n"                                                        \
      "vmov q0[2], q0[0], r4, r8\n"                                          \
      "vmov q0[3], q0[1], r6, r10\n"                                         \
      requantize("q0", "q1", "q2", "r3", "16", "32", "48")                   \
      "adds r3, #64\n"                                                       \
      "vqadd.s32 q0, q0, q6\n"                                               \
      "subs r9, #1\n"                                                        \
      "vmax.s32 q0, q0, q4\n"                                                \
      "vmin.s32 q0, q0, q5\n"                                                \
      "vstrb.32 q0, [r0], #4\n"                                              \
      "bgt 2b\n"                                                             \
      "ldrd r2, r3, [r12, #8]\n"                                          \
      "ldrd r9, r0, [r12, #20]\n"                                         \
      "add r5, r2\n"                                                         \
      "add r0, r3\n"                                                         \
      "subs r9, #1\n"                                                        \
      "strd r9, r0, [r12, #20]\n"                                         \
      "bgt 1b\n"                                                             \
      : "+r"(at)                                                             \
      :                                                                      \
      : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "q0", "q1", \
        "q2", "q4", "q5", "q6", "cc", "memory")

static void convolve_run(run *part, int is_small) {
  register run *at __asm__("r0") = part;
  if (is_small) {
    PS_CONVOLVE_RUN(PS_MVE_REQUANTIZE_SMALL);
  } else {
    PS_CONVOLVE_RUN(PS_MVE_REQUANTIZE);
  }
}

/* Computes all channels of pixels beside one another; those of the last block may not all exist. */
static void convolve_pixels(const layer *in, const int8_t *taps, int32_t step, int32_t pixels,
                            int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const run all = {in->filters,
                   in->scaling,
                   step,
                   params->output_column_stride,
                   in->blocks,
                   pixels,
                   output,
                   taps,
                   in->count,
                   params->output_offset,
                   params->activation_min,
                   params->activation_max};
  run part = all;
  if (in->blocks > 0) {
    convolve_run(&part, in->is_small);
  }
  for (int32_t pixel = 0; in->rest > 0 && pixel < pixels; ++pixel) {
    int8_t last[PS_MVE_LANES];
    int8_t *to = output + pixel * params->output_column_stride + in->blocks * PS_MVE_LANES;
    part = all;
    part.filters = in->last_filters;
    part.scaling = in->scaling + in->blocks;
    part.blocks = 1;
    part.pixels = 1;
    part.output = last;
    part.taps = taps + pixel * step;
    convolve_run(&part, in->is_small);
    for (int32_t lane = 0; lane < in->rest; ++lane) {
      to[lane] = last[lane];
    }
  }
}

static int scales_small(const layer *in) {
  return ps_mve_scales_small(in->scaling, in->blocks + (in->rest > 0));
}

#else

static void copy_bytes(int8_t *to, const int8_t *from, int32_t count) {
  for (; count > 0; --count) {
    *to++ = *from++;
  }
}

static void fill_bytes(int8_t *to, int32_t value, int32_t count) {
  for (; count > 0; --count) {
    *to++ = (int8_t)value;
  }
}

static void convolve_pixel(const layer *in, const int8_t *taps, int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const int32_t steps = (in->count + PS_MVE_BYTES - 1) / PS_MVE_BYTES;
  for (int32_t channel = 0; channel < params->output_channels; ++channel) {
    const int32_t block = channel / PS_MVE_LANES;
    const int32_t lane = channel % PS_MVE_LANES;
    const int8_t *filter = in->filters + (block * steps * PS_MVE_LANES + lane) * PS_MVE_BYTES;
    int32_t sum = 0;
    for (int32_t tap = 0; tap < in->count; ++tap) {
      sum += taps[tap] *
             filter[tap / PS_MVE_BYTES * PS_MVE_BYTES * PS_MVE_LANES + tap % PS_MVE_BYTES];
    }
    output[channel] = ps_mve_scale_lane(sum, in->scaling + block, lane, params->output_offset,
                                        params->activation_min, params->activation_max);
  }
}

static void convolve_pixels(const layer *in, const int8_t *taps, int32_t step, int32_t pixels,
                            int8_t *output) {
  for (; pixels > 0; --pixels) {
    convolve_pixel(in, taps, output);
    taps += step;
    output += in->params->output_column_stride;
  }
}

static int scales_small(const layer *in) {
  (void)in;
  return 0;
}

#endif

/* Copies what a row of a filter sees; row: of the input, outside of it for padding. */
static void gather_row(const ps_conv_2d_params *params, const int8_t *input, int32_t row,
                       int32_t column, int8_t *to) {
  const int32_t depth = params->input_channels;
  const int32_t width = params->filter_width;
  const int32_t last = column + width; /* where columns are adjacent */
  const int32_t padding = -params->input_offset;
  const int8_t *from = input + row * params->input_row_stride;
  if (row < 0 || row >= params->input_height) {
    fill_bytes(to, padding, width * depth);
    return;
  }
  if (params->dilation_width == 1 && params->input_column_stride == depth) {
    const int32_t begin = column < 0 ? -column : 0;
    const int32_t end = last > params->input_width ? params->input_width - column : width;
    if (begin >= end) {
      fill_bytes(to, padding, width * depth);
      return;
    }
    fill_bytes(to, padding, begin * depth);
    copy_bytes(to + begin * depth, from + (column + begin) * depth, (end - begin) * depth);
    fill_bytes(to + end * depth, padding, (width - end) * depth);
    return;
  }
  for (int32_t x = 0; x < width; ++x) {
    const int32_t seen = column + x * params->dilation_width;
    if (seen < 0 || seen >= params->input_width) {
      fill_bytes(to, padding, depth);
    } else {
      copy_bytes(to, from + seen * params->input_column_stride, depth);
    }
    to += depth;
  }
}

/* Returns what a filter sees at an output: where it is, if it is in one piece, or copied. */
static const int8_t *find_taps(const layer *in, const int8_t *input, int32_t row, int32_t column) {
  const ps_conv_2d_params *params = in->params;
  const int32_t row_bytes = params->filter_width * params->input_channels;
  const int32_t height = params->filter_height;
  int8_t *to = in->scratch;
  const int8_t *from;
  if (!in->is_dense || row < 0 || row + height > params->input_height || column < 0 ||
      column + params->filter_width > params->input_width) {
    for (int32_t y = 0; y < height; ++y) {
      gather_row(params, input, row + y * params->dilation_height, column, to);
      to += row_bytes;
    }
    return in->scratch;
  }
  from = input + row * params->input_row_stride + column * params->input_column_stride;
  if (height == 1) {
    return from;
  }
  for (int32_t y = 0; y < height; ++y) {
    copy_bytes(to, from, row_bytes);
    to += row_bytes;
    from += params->input_row_stride;
  }
  return in->scratch;
}

static int is_dense(const ps_conv_2d_params *params) {
  const int is_one_column = params->filter_width == 1;
  const int is_one_row = params->filter_height == 1;
  return (is_one_row || params->dilation_height == 1) &&
         (is_one_column || (params->dilation_width == 1 &&
                            params->input_column_stride == params->input_channels));
}

static layer describe_layer(const ps_conv_2d_params *params, const int8_t *filters,
                            const int32_t *scaling, int8_t *scratch) {
  layer out;
  out.params = params;
  out.filters = filters;
  out.scaling = (const ps_mve_scaling *)scaling;
  out.scratch = scratch;
  out.count = params->filter_height * params->filter_width * params->input_channels;
  out.blocks = params->output_channels / PS_MVE_LANES;
  out.rest = params->output_channels % PS_MVE_LANES;
  out.last_filters = filters + out.blocks * PS_MVE_LANES *
                                   ((out.count + PS_MVE_BYTES - 1) / PS_MVE_BYTES * PS_MVE_BYTES);
  out.is_dense = is_dense(params);
  out.is_small = scales_small(&out);
  return out;
}

/* Computes a row of outputs; row: of the input, where it begins. */
static void convolve_row(const layer *in, const int8_t *input, int32_t row, int8_t *output) {
  const ps_conv_2d_params *params = in->params;
  const int is_one_row = in->is_dense && params->filter_height == 1;
  const int32_t reach = (params->output_width - 1) * params->stride_width + params->filter_width;
  int32_t column = -params->padding_left;
  if (is_one_row && row >= 0 && row < params->input_height && column == 0 &&
      reach <= params->input_width) {
    convolve_pixels(in, input + row * params->input_row_stride,
                    params->stride_width * params->input_column_stride, params->output_width,
                    output);
    return;
  }
  for (int32_t x = 0; x < params->output_width; ++x) {
    convolve_pixels(in, find_taps(in, input, row, column), 0, 1, output);
    column += params->stride_width;
    output += params->output_column_stride;
  }
}

void ps_conv_2d_mve_s8(const ps_conv_2d_params *params, const int8_t *input, const int8_t *filters,
                       const int32_t *scaling, int8_t *scratch, int8_t *output) {
  const layer in = describe_layer(params, filters, scaling, scratch);
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t y = 0; y < params->output_height; ++y) {
      convolve_row(&in, input, y * params->stride_height - params->padding_top,
                   output + y * params->output_row_stride);
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
