/* What every generated model offers, whatever its operators: one constant descriptor. */
#ifndef PENSTOCK_MODEL_H
#define PENSTOCK_MODEL_H

#include <stdint.h>

#include "penstock/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ps_dtype {
  PS_INT8 = 0,
  PS_UINT8 = 1,
  PS_INT16 = 2,
  PS_INT32 = 3,
  PS_INT64 = 4,
  PS_FLOAT32 = 5,
  PS_BOOL = 6
} ps_dtype;

/* A tensor that the application fills or reads: real = scale * (value - zero_point). */
typedef struct ps_tensor {
  const char *name;
  void *data; /* 16-byte aligned */
  uint32_t size_bytes;
  ps_dtype dtype;
  uint32_t rank;
  const int32_t *shape; /* rank extents, NHWC */
  float scale;          /* 0 when the tensor is not quantized */
  int32_t zero_point;
} ps_tensor;

typedef struct ps_model {
  const char *name;
  uint32_t operator_count;
  uint32_t input_count;
  uint32_t output_count;
  const ps_tensor *inputs;
  const ps_tensor *outputs;
  const char *const *operator_names; /* operator_count of them */
  /* Prepares the model; call once before running, again to clear recurrent state. */
  ps_status (*init)(void);
  /* Runs operators first .. last - 1; 0 .. operator_count is one whole inference. */
  ps_status (*run_range)(uint32_t first, uint32_t last);
} ps_model;

#ifdef __cplusplus
}
#endif

#endif
