/* Status codes of every function that can fail. */
#ifndef PENSTOCK_STATUS_H
#define PENSTOCK_STATUS_H

typedef enum ps_status {
  PS_OK = 0,
  PS_ERROR_NOT_INITIALIZED = 1, /* run before init */
  PS_ERROR_INDEX = 2,           /* an operator, input or output index is out of range */
  PS_ERROR_DMA = 3              /* a copy did not succeed: the outputs are wrong */
} ps_status;

#endif
