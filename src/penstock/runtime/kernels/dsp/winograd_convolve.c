/* What convolutions by Winograd have in common.
 *
 * Patches are transformed once for all output channels; then each of their positions is a product of
 * matrices, four filters and two patches at a time.
 */
#include "penstock/conv_2d_winograd_2x2.h"
#include "penstock/dsp.h"
#include "penstock/dsp_scaling.h"
#include "penstock/sums_4x2.h"
#include "penstock/winograd.h"

enum { LANES = 4 };

static inline int32_t side_of(const ps_winograd_form *form) { return form->tile + 2; }

static inline int32_t positions_of(const ps_winograd_form *form) {
  return side_of(form) * side_of(form);
}

/* Words of two patches and four channels. */
static inline int32_t sums_of_two(const ps_winograd_form *form) {
  return 2 * LANES * positions_of(form);
}

/* What does not change from patch to patch. */
typedef struct layer {
  const ps_winograd_form *form;
  const ps_conv_2d_params *params;
  const int16_t *filters;
  const ps_dsp_scaling *scaling;
  int32_t pairs;         /* of input channels */
  int32_t position_step; /* words from one position of all patches to the next */
  uint32_t *block;       /* what sums of four channels and one position begin with, and filters */
  uint32_t *patches;     /* [position][two patches][pair][of the two] */
  uint32_t *sums;        /* [two patches][position][of the two][channel] */
} layer;

/* Some patches, from one on. */
typedef struct run {
  int32_t x; /* of the first one's outputs */
  int32_t y;
  int32_t count;
} run;

/* Copies a patch that is not all within the input. */
static void copy_patch(const layer *of, const int8_t *input, int32_t top, int32_t left) {
  const ps_conv_2d_params *params = of->params;
  const int32_t side = side_of(of->form);
  uint32_t *to = of->sums;
  const uint32_t padding = (uint8_t)-params->input_offset * 0x01010101U;
  for (int32_t y = top; y < top + side; ++y) {
    for (int32_t x = left; x < left + side; ++x) {
      const int is_inside =
          y >= 0 && y < params->input_height && x >= 0 && x < params->input_width;
      const int32_t start = y * params->input_row_stride + x * params->input_column_stride;
      for (int32_t channel = 0; channel < params->input_channels; channel += 4) {
        *to++ = is_inside ? ps_load_word(input + start + channel) : padding;
      }
    }
  }
}

/* Transforms a patch whose outputs begin at (x, y). to: its words of the first position. */
static void transform_patch(const layer *of, const int8_t *input, int32_t x, int32_t y,
                            uint32_t *to) {
  const ps_conv_2d_params *params = of->params;
  const int32_t top = y - params->padding_top;
  const int32_t left = x - params->padding_left;
  const int32_t side = side_of(of->form);
  const int is_inside = top >= 0 && left >= 0 && top + side <= params->input_height &&
                        left + side <= params->input_width;
  int32_t row_step = params->input_row_stride;
  int32_t step = params->input_column_stride;
  const int8_t *pixels = input;
  if (is_inside) {
    pixels += top * row_step + left * step;
  } else {
    copy_patch(of, input, top, left);
    pixels = (const int8_t *)of->sums;
    step = params->input_channels;
    row_step = side * step;
  }
  {
    const ps_winograd_patch patch = {pixels, row_step, step, to, 4 * of->position_step,
                                     of->pairs / 2};
    of->form->transform(&patch);
  }
}

/* Moves to the next patch. */
static inline void advance(const layer *of, int32_t *x, int32_t *y) {
  *x += of->form->tile;
  if (*x >= of->params->output_width) {
    *x = 0;
    *y += of->form->tile;
  }
}

static void transform_patches(const layer *of, const int8_t *input, const run *patches) {
  int32_t x = patches->x;
  int32_t y = patches->y;
  uint32_t *to = of->patches;
  for (int32_t patch = 0; patch < patches->count; ++patch) {
    transform_patch(of, input, x, y, to + patch % 2);
    if (patch % 2 != 0) {
      to += 2 * of->pairs;
    } else if (patch + 1 == patches->count) {
      /* The last one has none beside it: it is computed twice. */
      transform_patch(of, input, x, y, to + 1);
    }
    advance(of, &x, &y);
  }
}

/* Copies words, a multiple of four, in the order of their addresses: serial flash begins anew where a
 * compiler changes it. */
static void copy_words(const void *from, int32_t count, uint32_t *to) {
#if PS_HAS_DSP
  for (; count > 0; count -= 4) {
    __asm__ volatile(
        "ldm %0!, {r4, r5, r6, r8}\n"
        "stm %1!, {r4, r5, r6, r8}\n"
        : "+r"(from), "+r"(to)
        :
        : "r4", "r5", "r6", "r8", "memory");
  }
#else
  memcpy(to, from, 4 * (size_t)count);
#endif
}

/* Distances of outputs from the first, as far as there are so many. */
static void clip_steps(int32_t tile, int32_t left, int32_t step, int32_t *steps) {
  for (int32_t n = 1; n < tile; ++n) {
    steps[n - 1] = (n < left ? n : left - 1) * step;
  }
}

/* Makes one channel of the outputs of all patches, row by row. */
static void write_channel(const layer *of, const run *patches, const ps_dsp_scaling *scaling,
                          int32_t lane, int8_t *output) {
  const ps_conv_2d_params *params = of->params;
  const int32_t step = params->output_column_stride;
  const int32_t tile = of->form->tile;
  const int32_t sums = sums_of_two(of->form);
  ps_winograd_outputs out = {0, 0, 0, 0, 2 * scaling->bias, scaling->multiplier, scaling->rounding,
                             scaling->shift, {0, 0, 0}, {0, 0, 0}};
  int32_t x = patches->x;
  int32_t y = patches->y;
  for (int32_t patch = 0; patch < patches->count;) {
    const int32_t columns = params->output_width - x;
    const int32_t whole = columns / tile; /* patches with all columns */
    const int32_t left = patches->count - patch;
    out.sums = of->sums + patch / 2 * sums + patch % 2 * LANES + lane;
    out.output = output + y * params->output_row_stride + x * step;
    out.count = whole == 0 ? 1 : whole < left ? whole : left;
    out.next = 4 * (patch % 2 == 0 ? LANES : sums - LANES);
    clip_steps(tile, columns, step, out.right);
    clip_steps(tile, params->output_height - y, params->output_row_stride, out.down);
    of->form->finish(&out);
    patch += out.count;
    x += tile * out.count;
    if (x >= params->output_width) {
      x = 0;
      y += tile;
    }
  }
}

/* Limits all outputs of an image to a range within int8. */
static void limit_outputs(const ps_conv_2d_params *params, int8_t *output) {
  for (int32_t y = 0; y < params->output_height; ++y) {
    int8_t *pixel = output + y * params->output_row_stride;
    for (int32_t x = 0; x < params->output_width; ++x) {
      ps_limit_pixel(params, pixel);
      pixel += params->output_column_stride;
    }
  }
}

/* Computes all channels of the patches in scratch. */
static void multiply_patches(const layer *of, const run *patches, int8_t *output) {
  const int16_t *filters = of->filters;
  const int32_t starts = of->form->has_starts ? LANES : 0;
  const int32_t words = starts + LANES * of->pairs;
  for (int32_t channel = 0; channel < of->params->output_channels; channel += LANES) {
    ps_block_sums block = {of->block + LANES, of->patches, of->sums, 4 * sums_of_two(of->form),
                           of->pairs,         (patches->count + 1) / 2};
    for (int32_t position = 0; position < positions_of(of->form); ++position) {
      copy_words(filters, words, of->block + LANES - starts);
      ps_sum_4x2(&block);
      block.columns += of->position_step;
      block.sums += 2 * LANES;
      filters += 2 * words;
    }
    for (int32_t lane = 0; lane < LANES && channel + lane < of->params->output_channels; ++lane) {
      write_channel(of, patches, of->scaling + channel + lane, lane, output + channel + lane);
    }
  }
}

void ps_winograd_convolve(const ps_winograd_form *form, const ps_conv_2d_params *params,
                          const int8_t *input, const int16_t *filters, const int32_t *scaling,
                          uint32_t *scratch, int8_t *output) {
  const int32_t tile = form->tile;
  const int32_t positions = positions_of(form);
  const int32_t pairs = params->input_channels / 2;
  const int32_t held = params->scratch_pixels;
  const int32_t patches_across = (params->output_width + tile - 1) / tile;
  const int32_t total = patches_across * ((params->output_height + tile - 1) / tile);
  uint32_t *const patches = scratch + LANES + LANES * pairs;
  const int32_t position_step = pairs * held + PS_WINOGRAD_SKEW;
  uint32_t *const end = patches + positions * position_step;
  const layer of = {form,  params,        filters, (const ps_dsp_scaling *)scaling,
                    pairs, position_step, scratch, patches, end + LANES};
  for (int32_t lane = 0; lane < LANES; ++lane) {
    scratch[lane] = 0; /* what sums begin with, where filters do not say it */
  }
  for (int32_t position = 1; position <= positions; ++position) {
    uint32_t *const behind = patches + position * position_step - PS_WINOGRAD_SKEW;
    behind[0] = 0; /* two words are loaded ahead, and not used */
    behind[1] = 0;
  }
  for (int32_t n = 0; n < params->batches; ++n) {
    for (int32_t first = 0; first < total; first += held) {
      const int32_t left = total - first;
      const run patch = {first % patches_across * tile, first / patches_across * tile,
                         left < held ? left : held};
      transform_patches(&of, input, &patch);
      multiply_patches(&of, &patch, output);
    }
    if (params->activation_min > INT8_MIN || params->activation_max < INT8_MAX) {
      limit_outputs(params, output);
    }
    input += params->input_batch_stride;
    output += params->output_batch_stride;
  }
}
