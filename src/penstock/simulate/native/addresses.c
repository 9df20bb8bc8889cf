#include "addresses.h"

#include <string.h>

#include "stream.h"

static uint32_t sign_extended(uint32_t value, uint32_t bits) {
  const uint32_t sign = 1u << (bits - 1u);
  return bits >= 32u ? value : ((value & (2u * sign - 1u)) ^ sign) - sign;
}

static uint32_t extracted(uint32_t value, uint32_t low, uint32_t bits) {
  return bits >= 32u ? value >> low : value >> low & ((1u << bits) - 1u);
}

/* Where bytes of one page are; a null pointer for what is no memory or goes beyond the page. */
static const uint8_t *find_host(const ps_address_space *space, uint32_t address, uint32_t size) {
  const uintptr_t page = space->host_pages[address >> PS_PAGE_SHIFT];
  const uint32_t offset = address & ((1u << PS_PAGE_SHIFT) - 1u);
  if (page == 0u || offset + size > 1u << PS_PAGE_SHIFT) {
    return NULL;
  }
  return (const uint8_t *)(page & ~(uintptr_t)1) + offset;
}

/* Compared is where bytes are, for one memory may have several addresses. What goes on in another
 * page counts as written. */
static int is_written(const ps_address_space *space, const uint64_t *events, int count,
                      const uint8_t *bytes, uint32_t size) {
  int index;
  for (index = 0; index < count; ++index) {
    const uint32_t other_size = (uint32_t)(events[index] >> 32) & 0xFFu;
    const uint8_t *other = find_host(space, (uint32_t)events[index], other_size);
    if ((events[index] >> 62 & 1u) != 0u &&
        (other == NULL || (bytes < other + other_size && other < bytes + size))) {
      return 1;
    }
  }
  return 0;
}

static int is_watched(const ps_address_space *space, const ps_address_step *step,
                      uint32_t address) {
  const uintptr_t page = space->host_pages[address >> PS_PAGE_SHIFT];
  const int is_mapped = step->code == PS_WRITE ? (page & 1u) != 0u : page != 0u;
  return !is_mapped || (address & step->alignment) != 0u ||
         address - space->guard_start < space->guard_end - space->guard_start;
}

static uint32_t combined(uint32_t code, const ps_address_step *step, uint32_t first,
                         uint32_t second) {
  uint32_t count;
  switch (code) {
  case PS_ADD:
    return first + second;
  case PS_AND:
    return first & second;
  case PS_OR:
    return first | second;
  case PS_EXCLUSIVE_OR:
    return first ^ second;
  case PS_CLEAR:
    return first & ~second;
  case PS_MULTIPLY:
    return first * second;
  case PS_SHIFT_RIGHT:
    return step->constant >= 32u ? 0u : first >> step->constant;
  case PS_SHIFT_RIGHT_SIGNED:
    count = step->constant < 31u ? step->constant : 31u;
    return sign_extended(first >> count, 32u - count);
  case PS_EXTRACT:
    return extracted(first, step->shift, step->size);
  default: /* PS_EXTRACT_SIGNED */
    return sign_extended(first >> step->shift, step->size);
  }
}

int ps_compute_accesses(const ps_address_step *steps, uint32_t count,
                        const ps_address_space *space, const uint32_t *registers,
                        uint64_t *events) {
  uint32_t values[PS_VALUES_MAX];
  int found = 0;
  int has_written = 0;
  uint32_t index;
  memcpy(values, registers, PS_ZERO * sizeof *values);
  values[PS_ZERO] = 0;
  for (index = 0; index < count; ++index) {
    const ps_address_step *step = &steps[index];
    const uint32_t first = values[step->a];
    const uint32_t shifted = values[step->b] << step->shift % 32u;
    const uint32_t address = first + shifted + step->constant;
    if (step->code <= PS_WRITE) {
      if (is_watched(space, step, address)) {
        return -1;
      }
      has_written |= step->code;
      events[found++] = ps_access_event(address, step->size, step->code);
    } else if (step->code == PS_PRELOAD) {
      if (space->host_pages[address >> PS_PAGE_SHIFT] != 0u) {
        events[found++] = ps_preload_event(address, step->size);
      }
    } else if (step->code <= PS_LOAD_SIGNED) {
      const uint8_t *host = find_host(space, address, step->size);
      uint32_t value = 0;
      if (host == NULL || (has_written && is_written(space, events, found, host, step->size))) {
        return -1;
      }
      memcpy(&value, host, step->size);
      values[step->target] =
          step->code == PS_LOAD ? value : sign_extended(value, 8u * step->size);
    } else if (step->code == PS_SUBTRACT) {
      values[step->target] = first - shifted + step->constant;
    } else {
      values[step->target] = combined(step->code, step, first, shifted + step->constant);
    }
  }
  return found;
}
