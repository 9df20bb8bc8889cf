/* Sums of products of four output channels with two columns of a matrix. Internal to the Winograd
 * convolution. */
#ifndef PENSTOCK_SUMS_4X2_H
#define PENSTOCK_SUMS_4X2_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All fields are words, in the order in which the code loads them. */
typedef struct ps_block_sums {
  const uint32_t *filters; /* of each pair of channels, a word for each of four filters; before them
                              stands what the sums of each begin with */
  const uint32_t *columns; /* of each two columns and pair of channels, a word for each */
  uint32_t *sums;          /* of the first column four, of the second four */
  int32_t sums_step;       /* bytes from those of two columns to those of the next two */
  int32_t pairs;           /* even, at least 2 */
  int32_t column_pairs;    /* at least 1 */
} ps_block_sums;

/* Computes four filters of two columns at a time. Reads up to 16 bytes behind filters and columns,
 * whatever they are. */
void ps_sum_4x2(const ps_block_sums *block);

#ifdef __cplusplus
}
#endif

#endif
