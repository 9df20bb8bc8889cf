/* What the two halves of the sanitizers share. */
#ifndef PS_SANITIZER_PARTS_H
#define PS_SANITIZER_PARTS_H

#include "sanitizer.h"

int ps_coherence_open(ps_sanitizer *s, const ps_cache *cache, const ps_dma *d);
void ps_coherence_close(ps_sanitizer *s);

/* Returns what is known of a byte, or a null pointer where no memory is. */
uint8_t *ps_shadow_at(const ps_sanitizer *s, uint32_t address);

/* Bytes of a range that lies in one memory. */
void ps_set_flags(const ps_sanitizer *s, uint32_t address, uint64_t size_bytes, uint32_t set,
                  uint32_t cleared);
uint32_t ps_any_flag(const ps_sanitizer *s, uint32_t address, uint32_t size_bytes);

/* Only the first fault counts. Returns 0, which is what callers say then. */
int ps_report(ps_timing *t, ps_fault_kind kind, const ps_actor *actor, const ps_actor *other,
              const char *what);

ps_actor ps_core_actor(const ps_timing *t, uint32_t address, uint32_t size_bytes, int is_write);

/* Finds an unfinished transfer that covers one of some bytes with its target, or its source. */
int ps_find_transfer(const ps_dma *d, const ps_dma_transfer *but, const uint8_t *byte,
                     uint32_t size_bytes, int looks_at_sources, ps_actor *actor);

/* What the core did to a line of memory that it writes through the data cache. */
typedef struct ps_line_note ps_line_note;

/* Returns who wrote bytes of one line of which some may be newest in the data cache, or a null
 * pointer. */
const ps_line_note *ps_dirty_note(const ps_timing *t, uint32_t address, uint32_t size_bytes);
ps_actor ps_line_writer(const ps_timing *t, const ps_line_note *note);

/* Finds who wrote a line by another address, after a time. */
int ps_find_alias_writer(const ps_timing *t, uint32_t address, uint64_t since, ps_actor *actor);

/* Reports bytes, of which some are lost, as read by an actor. */
int ps_report_lost(ps_timing *t, const ps_actor *reader, uint32_t address, uint32_t size_bytes);

/* Memory has changed below what the data cache may hold of a line. */
void ps_mark_stale(ps_timing *t, uint32_t address, uint32_t size_bytes);
int ps_is_stale(const ps_timing *t, uint32_t address);

/* Finds the latest finished transfer that wrote one of some bytes. */
int ps_find_writer(const ps_dma *d, uint32_t address, uint32_t size_bytes, ps_actor *actor);

#endif
