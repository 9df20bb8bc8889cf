/* The little that the virtual board must know of the Thumb encoding. */
#ifndef PENSTOCK_SIMULATE_THUMB_H
#define PENSTOCK_SIMULATE_THUMB_H

#include <stdint.h>

/* What a block of code holds. */
typedef struct ps_thumb_summary {
  uint32_t instructions;
  uint32_t needs_alignment; /* how many of them require word-aligned addresses */
} ps_thumb_summary;

ps_thumb_summary ps_thumb_summarize(const uint8_t *code, uint32_t size_bytes);

/* Returns the offset of an instruction in the code that requires alignment and, with these
 * registers, accesses this unaligned address; or -1. */
int32_t ps_thumb_find_unaligned(const uint8_t *code, uint32_t size_bytes,
                                const uint32_t registers[16], uint32_t address);

#endif
