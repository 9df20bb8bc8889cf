/* The accesses of a block, computed before it runs: what simulate/pipeline/addresses.py derives.
 * Mirrored in simulate/monitor_records.py. */
#ifndef PS_ADDRESSES_H
#define PS_ADDRESSES_H

#include <stdint.h>

enum {
  PS_VALUES_MAX = 64, /* registers and temporaries */
  PS_STEPS_MAX = 256,
  PS_PRELOADS_MAX = 16, /* of a block; where there are more, none has an effect */
  PS_ZERO = 15 /* number of the value 0, in place of the program counter */
};

/* `first` is values[a], `second` is (values[b] << shift) + constant. */
typedef enum ps_address_code {
  PS_READ = 0, /* an access at first + second */
  PS_WRITE = 1,
  PS_LOAD = 2, /* the unsigned value there */
  PS_LOAD_SIGNED = 3,
  PS_ADD = 4,
  PS_SUBTRACT = 5, /* first - (values[b] << shift) + constant */
  PS_AND = 6,
  PS_OR = 7,
  PS_EXCLUSIVE_OR = 8,
  PS_CLEAR = 9, /* first & ~second */
  PS_MULTIPLY = 10,
  PS_SHIFT_RIGHT = 11, /* first >> constant */
  PS_SHIFT_RIGHT_SIGNED = 12,
  PS_EXTRACT = 13, /* `size` bits of first from bit `shift` */
  PS_EXTRACT_SIGNED = 14,
  PS_PRELOAD = 15 /* a hint at first + second, before access `size` of the block */
} ps_address_code;

typedef struct ps_address_step {
  uint8_t code;
  uint8_t target;
  uint8_t a;
  uint8_t b;
  uint8_t shift;
  uint8_t size;
  uint16_t alignment; /* bits of the address that must be 0 */
  uint32_t constant;
} ps_address_step;

/* What accesses may touch without being watched. */
typedef struct ps_address_space {
  const uintptr_t *host_pages; /* by page: where it is in this process, 0 for no memory; the lowest
                                  bit says that it can be written */
  uint64_t guard_start;        /* accesses of [guard_start, guard_end) have to be watched */
  uint64_t guard_end;
} ps_address_space;

/* Evaluates a block's steps; `registers` are r0 to r14. Returns how many events of stream.h were
 * written, or -1 when an access has to be watched. */
int ps_compute_accesses(const ps_address_step *steps, uint32_t count,
                        const ps_address_space *space, const uint32_t *registers,
                        uint64_t *events);

/* Returns where an engine keeps r0 to r15, given that the first `count` of them are the multiples of
 * a seed, from 1 on; a null pointer if that is not found. */
uint32_t *ps_find_registers(void *engine, uint32_t seed, uint32_t count);

#endif
