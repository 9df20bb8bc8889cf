/* Kernels that move elements of any type without looking at them. */
#ifndef PENSTOCK_MOVEMENT_H
#define PENSTOCK_MOVEMENT_H

#include <stdint.h>

#include "penstock/iteration.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Starts and strides count elements. */
typedef struct ps_strided_copy_params {
  int32_t element_bytes; /* 1, 2, 4 or 8 */
  int32_t extents[PS_RANK_MAX];
  int32_t input_start;
  int32_t input_strides[PS_RANK_MAX];
  int32_t output_start;
  int32_t output_strides[PS_RANK_MAX];
} ps_strided_copy_params;

/* Copies a box of elements: transposition, slices, and the parts of concatenation, split and pack.
 *
 * Elements of the output outside the box keep their value. input and output must not overlap.
 */
void ps_strided_copy(const ps_strided_copy_params *params, const void *input, void *output);

typedef struct ps_pad_params {
  int32_t value;        /* of padded elements, sign-extended to the element */
  int32_t output_count; /* elements of the output, which is dense */
} ps_pad_params;

/* Fills the output with a value and copies the input into it. They must not overlap. */
void ps_pad(const ps_pad_params *params, const ps_strided_copy_params *copy, const void *input,
            void *output);

typedef struct ps_table_params {
  int32_t extents[PS_RANK_MAX];
  int32_t input_strides[PS_RANK_MAX];
  int32_t output_start;
  int32_t output_strides[PS_RANK_MAX];
} ps_table_params;

/* Replaces each byte by table[byte]: any function of one 8-bit operand.
 *
 * table: 256 bytes, indexed by the element's bits as an unsigned number, so that int8 -1 is 255.
 * output: may be the same memory as input when their strides agree.
 */
void ps_table_u8(const ps_table_params *params, const uint8_t *input, const uint8_t *table,
                 uint8_t *output);

#ifdef __cplusplus
}
#endif

#endif
