/* Larger and smaller of two tensors' elements. */
#include "penstock/elementwise.h"
#include "penstock/pairwise.h"

#define LARGER(params, left, right) ((left) > (right) ? (left) : (right))
#define SMALLER(params, left, right) ((left) < (right) ? (left) : (right))

PS_DEFINE_PAIRWISE(ps_maximum_s8, ps_extremum_params, int8_t, LARGER)
PS_DEFINE_PAIRWISE(ps_maximum_s16, ps_extremum_params, int16_t, LARGER)
PS_DEFINE_PAIRWISE(ps_minimum_s8, ps_extremum_params, int8_t, SMALLER)
PS_DEFINE_PAIRWISE(ps_minimum_s16, ps_extremum_params, int16_t, SMALLER)
