/* Counters by which firmware times itself: SysTick and the cycle counter.
 *
 * They are brought up to date when one of their registers is accessed: until a write is over, the
 * page of registers holds what was there before. SysTick raises no exception here, and counts the
 * core's cycles whatever clock is chosen. ARMv7-M architecture reference manual B3.3, C1.6.5, C1.8.
 */
#include <string.h>

#include "timing.h"

static const uint32_t CYCLE_CONTROL = 0xE0001000u;
static const uint32_t CYCLE_COUNTER = 0xE0001004u;
static const uint32_t SYSTICK_CONTROL = 0xE000E010u;
static const uint32_t SYSTICK_RELOAD = 0xE000E014u;
static const uint32_t SYSTICK_VALUE = 0xE000E018u;
static const uint32_t DEBUG_CONTROL = 0xE000EDFCu; /* DEMCR */

enum { PAGE_MASK = 0xFFF };
enum { CYCLE_COUNTER_ON = 1 };
enum { TRACE_ON = 1 << 24 };
enum { SYSTICK_ON = 1, SYSTICK_SETTINGS = 7, SYSTICK_FLAG_SHIFT = 16, SYSTICK_MAX = 0xFFFFFF };

static uint8_t *place_of(ps_timing *t, uint32_t address) {
  uint8_t *page = address >> PS_PAGE_SHIFT == CYCLE_CONTROL >> PS_PAGE_SHIFT ? t->trace_page
                                                                             : t->system_page;
  return page + (address & PAGE_MASK);
}

static uint32_t held_at(ps_timing *t, uint32_t address) {
  uint32_t value;
  memcpy(&value, place_of(t, address), sizeof value);
  return value;
}

/* The cycle after 0 loads the reload value; one of 0 ends the count. */
static void count_down(ps_timing *t, uint64_t cycles) {
  const uint32_t reload = held_at(t, SYSTICK_RELOAD) & SYSTICK_MAX;
  const uint32_t left = t->systick_value;
  const uint64_t beyond = cycles > left ? cycles - left - 1u : 0u; /* since it was loaded */
  if (left != 0u && cycles >= left) {
    t->systick_flag = 1;
  }
  if (cycles <= left) {
    t->systick_value = left - (uint32_t)cycles;
  } else if (reload == 0u) {
    t->systick_value = 0;
  } else {
    t->systick_value = reload - (uint32_t)(beyond % (reload + 1u));
    t->systick_flag |= beyond >= reload;
  }
}

static void bring_up_to_date(ps_timing *t) {
  const uint64_t cycle = ps_here(t) >> PS_TICK_SHIFT;
  const uint64_t elapsed = cycle - t->counted_at;
  t->counted_at = cycle;
  if ((held_at(t, DEBUG_CONTROL) & TRACE_ON) != 0u &&
      (held_at(t, CYCLE_CONTROL) & CYCLE_COUNTER_ON) != 0u) {
    t->cycle_count += (uint32_t)elapsed;
  }
  if ((held_at(t, SYSTICK_CONTROL) & SYSTICK_ON) != 0u) {
    count_down(t, elapsed);
  }
}

static void write_counter(ps_timing *t, uint32_t address, uint32_t value) {
  if (address == CYCLE_COUNTER) {
    t->cycle_count = value;
  } else if (address == SYSTICK_VALUE) { /* any value clears it */
    t->systick_value = 0;
    t->systick_flag = 0;
  }
}

static void read_counter(ps_timing *t, uint32_t address) {
  uint32_t value = held_at(t, address);
  if (address == CYCLE_COUNTER) {
    value = t->cycle_count;
  } else if (address == SYSTICK_VALUE) {
    value = t->systick_value;
  } else if (address == SYSTICK_CONTROL) { /* which forgets the flag */
    value = (value & SYSTICK_SETTINGS) | t->systick_flag << SYSTICK_FLAG_SHIFT;
    t->systick_flag = 0;
  }
  memcpy(place_of(t, address), &value, sizeof value);
}

int ps_is_counter(uint32_t address) {
  return address == CYCLE_CONTROL || address == CYCLE_COUNTER || address == DEBUG_CONTROL ||
         (address >= SYSTICK_CONTROL && address <= SYSTICK_VALUE);
}

void ps_counter_access(ps_timing *t, uint32_t address, int is_write, uint32_t value) {
  bring_up_to_date(t);
  if (is_write) {
    write_counter(t, address, value);
  } else {
    read_counter(t, address);
  }
}
