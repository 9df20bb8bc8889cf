/* A channel of filters without their zeros times one row of values. Internal to the kernels with the DSP
 * extension. */
#ifndef PENSTOCK_DOT_SPARSE_H
#define PENSTOCK_DOT_SPARSE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the sum, modulo 2^32, of the weights of a channel (penstock/sparse_filters.h) times the values
 * at their taps. */
int32_t ps_dot_sparse(const uint8_t *channel, const int8_t *values);

#ifdef __cplusplus
}
#endif

#endif
