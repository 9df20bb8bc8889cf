/* Filters without their zeros: what the kernels with _sparse_ in their name read.
 *
 * A channel's taps that are not zero come as entries: a weight, and how many taps it lies behind the
 * entry before. Two entries take three bytes, so that a weight takes twelve bits:
 *
 *   channel: two bytes: the number of pairs of entries, 12 bits, and where the first entry lies; then
 *     the pairs
 *   pair: the weight of its first entry, that of its second, and a byte: how far the second lies behind
 *     the first, 4 bits, and how far the next pair's first behind the second, which is 0 in the last
 *
 * Lower bits come first. Where more than 15 taps are skipped, and where the number of entries would be
 * odd, there are entries whose weight is 0. Behind the last channel follow three more bytes, which
 * kernels may read, whatever they are.
 */
#ifndef PENSTOCK_SPARSE_FILTERS_H
#define PENSTOCK_SPARSE_FILTERS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the number of pairs of a channel. */
static inline int32_t ps_sparse_pairs(const uint8_t *channel) {
  return channel[0] | (channel[1] & 0x0F) << 8;
}

/* Returns the tap of a channel's first entry. */
static inline int32_t ps_sparse_first(const uint8_t *channel) { return channel[1] >> 4; }

/* Returns the channel behind one. */
static inline const uint8_t *ps_sparse_next(const uint8_t *channel) {
  return channel + 2 + 3 * ps_sparse_pairs(channel);
}

/* Returns the sum, modulo 2^32, of a channel's weights times the values at their taps, each with an
 * offset. */
static inline uint32_t ps_sparse_dot(const uint8_t *channel, const int8_t *values, int32_t offset) {
  const uint8_t *pair = channel + 2;
  const uint8_t *const end = ps_sparse_next(channel);
  const int8_t *value = values + ps_sparse_first(channel);
  uint32_t sum = 0;
  for (; pair != end; pair += 3) {
    const int8_t *second = value + (pair[2] & 0x0F);
    sum += (uint32_t)((*value + offset) * (int8_t)pair[0]);
    sum += (uint32_t)((*second + offset) * (int8_t)pair[1]);
    value = second + (pair[2] >> 4);
  }
  return sum;
}

#ifdef __cplusplus
}
#endif

#endif
