/* Finds what goes wrong on a real board now and then, and always here. Mirrored in
 * simulate/sanitizer_records.py. */
#ifndef PS_SANITIZER_H
#define PS_SANITIZER_H

#include "dma.h"

/* What is known of each byte of memory. */
enum {
  PS_BYTE_WRITTEN = 1,  /* by the loader, the core or a transfer */
  PS_BYTE_SOURCE = 2,   /* of a transfer that the core does not know to be complete */
  PS_BYTE_TARGET = 4,   /* of such a transfer */
  PS_BYTE_DIRTY = 8,    /* its newest value may be in the data cache only */
  PS_BYTE_STALE = 16,   /* the data cache holds an older value */
  PS_BYTE_ALLOWED = 32, /* operators may touch it */
  PS_BYTE_LOST = 64     /* its newest value was in the data cache only, and is gone */
};

typedef enum ps_fault_kind {
  PS_FAULT_NONE = 0,
  PS_FAULT_RACE = 1,      /* an access that meets a transfer */
  PS_FAULT_STALE = 2,     /* the core reads a cache line from before a transfer */
  PS_FAULT_UNCLEAN = 3,   /* a transfer reads what is newer in the cache */
  PS_FAULT_DIRTY = 4,     /* a transfer writes below a dirty line */
  PS_FAULT_OVERWRITE = 5, /* the core writes into a stale line, which will be written back */
  PS_FAULT_UNWRITTEN = 6, /* read of what nobody has written */
  PS_FAULT_REACH = 7,     /* the controller does not see the memory */
  PS_FAULT_OUTSIDE = 8,   /* an operator touches what is not the model's */
  PS_FAULT_MISUSE = 9,    /* registers set against the manual; `what` says how */
  PS_FAULT_LOST = 10      /* read of what the core wrote and an invalidation threw away */
} ps_fault_kind;

/* Who makes an access: the core, or a channel of a controller. */
typedef struct ps_actor {
  uint32_t is_dma;
  uint32_t controller;
  uint32_t channel;
  uint32_t is_write;
  uint32_t address; /* of the access, or a transfer's first byte */
  uint32_t size_bytes;
  uint32_t block; /* of code that the core is in */
  uint32_t reserved;
  uint64_t time;
  uint64_t slot;
  uint64_t ended_at; /* of a transfer; 0 while it runs */
} ps_actor;

typedef struct ps_fault {
  uint32_t kind;
  uint32_t has_other;
  ps_actor actor;
  ps_actor other;
  ps_actor loss; /* the invalidation of a lost write */
  char what[96];
} ps_fault;

typedef struct ps_sanitizer {
  uint8_t **shadow_of_page; /* PS_PAGE_COUNT entries */
  struct ps_coherence *coherence;
  uint32_t checks_unwritten;
  uint32_t checks_bounds;
  ps_fault fault;
} ps_sanitizer;

/* Returns 0 when there is no memory. */
int ps_sanitizer_open(ps_sanitizer *s, ps_timing *t, const ps_dma *d);
void ps_sanitizer_close(ps_sanitizer *s);

void ps_sanitizer_mark(ps_sanitizer *s, uint32_t address, uint64_t size_bytes, uint32_t flags);

/* Before an access of the core. */
void ps_sanitize_access(ps_timing *t, uint32_t address, uint32_t size_bytes, int is_write);

/* The core has written what the data cache need not write back, and read what it does not hold. */
void ps_sanitize_write_back(ps_timing *t, uint32_t address, uint32_t size_bytes);
void ps_sanitize_uncached_read(ps_timing *t, uint32_t address, uint32_t size_bytes);

/* A line of the data cache has been filled, or has gone. */
void ps_sanitize_fill(ps_timing *t, uint32_t line);
void ps_sanitize_gone(ps_timing *t, uint32_t line);

/* Maintenance by address, also of what the modelled cache does not hold, or by set and way, of a
 * tag; before it happens. */
void ps_sanitize_line(ps_timing *t, uint32_t address, int cleans, int invalidates);
void ps_sanitize_tag(ps_timing *t, const uint32_t *tag, int cleans, int invalidates);

/* All caches are written back and emptied from outside. */
void ps_sanitize_chill(ps_timing *t);

/* Somebody outside is about to use what the program has left in memory. */
void ps_sanitize_result(ps_timing *t, uint32_t address, uint32_t size_bytes);

/* A transfer is about to start, moves bytes, and has been seen to be complete; 0 when it cannot
 * go on. */
int ps_sanitize_start(ps_dma *d, const ps_dma_controller *c, uint32_t channel);
int ps_sanitize_move(ps_dma *d, const ps_dma_controller *c, uint32_t channel, uint32_t size_bytes);
void ps_sanitize_seen(ps_dma *d, ps_dma_controller *c, uint32_t channel);

/* A transfer that the controller cannot make; `what` says why. */
void ps_sanitize_misuse(ps_dma *d, const ps_dma_controller *c, uint32_t channel, uint32_t address,
                        uint32_t kind, const char *what);

#endif
