/* Ends loops that wait for a register that nothing changes: a register that is read many times in a
 * row answers with other values. Called before each read of the peripheral space. */
#include "polling.h"

enum { PATIENCE = 256 };              /* reads in a row before other values come */
enum { FIRST_RANDOM = 0x2545F491 };   /* any number but 0 */
enum { REGISTER_BYTES_MAX = 4 };

static void restore(polling *p, void *engine) {
  if (p->count > PATIENCE) {
    p->write_memory(engine, p->address, &p->original, p->size_bytes);
  }
}

static uint32_t next_random(polling *p) { /* Marsaglia, Xorshift RNGs, 2003 */
  p->random ^= p->random << 13;
  p->random ^= p->random >> 17;
  p->random ^= p->random << 5;
  return p->random;
}

void ps_polling_on_read(void *engine, int access, uint64_t address, int size, int64_t value,
                        polling *p) {
  uint32_t answer;
  (void)access;
  (void)value;
  if (size < 1 || size > REGISTER_BYTES_MAX) {
    return;
  }
  if (address != p->address || (uint64_t)size != p->size_bytes) {
    restore(p, engine);
    p->address = address;
    p->size_bytes = (uint64_t)size;
    p->count = 0;
    p->random = FIRST_RANDOM;
  }
  if (++p->count < PATIENCE) {
    return;
  }
  if (p->count == PATIENCE) {
    p->original = 0;
    p->read_memory(engine, address, &p->original, p->size_bytes);
    return;
  }
  answer = p->count == PATIENCE + 1 ? ~p->original : next_random(p);
  p->write_memory(engine, address, &answer, p->size_bytes);
  ++p->invented_count;
}
