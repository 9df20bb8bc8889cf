/* Encodings: ARMv7-M architecture reference manual A5 and A6; which accesses must be aligned: A3.2.1.
 */
#include "thumb.h"

enum { REGISTER_SP = 13, REGISTER_PC = 15 };

/* Bytes that an instruction accesses, [start, start + size_bytes); nothing when it may be
 * unaligned or its base is SP or PC, which always are aligned. */
typedef struct access {
  uint32_t base;
  int32_t offset_bytes;
  uint32_t size_bytes;
} access;

static const access NO_ACCESS = {REGISTER_PC, 0, 0};

static uint32_t halfword(const uint8_t *code) { return code[0] | ((uint32_t)code[1] << 8); }

/* A halfword that starts with 0b11101, 0b11110 or 0b11111 is the first of two. */
static uint32_t length_of(uint32_t first) { return first >= 0xE800u ? 4u : 2u; }

static uint32_t count_bits(uint32_t bits) {
  uint32_t count = 0;
  for (; bits != 0u; bits &= bits - 1u) {
    ++count;
  }
  return count;
}

static access make_access(uint32_t base, int32_t offset_bytes, uint32_t size_bytes) {
  const access made = {base, offset_bytes, size_bytes};
  return base == REGISTER_SP || base == REGISTER_PC ? NO_ACCESS : made;
}

/* Bit 7 of the first halfword adds the immediate, otherwise it is subtracted. */
static int32_t immediate(uint32_t first, uint32_t second) {
  const int32_t words = (int32_t)(second & 0xFFu);
  return (first & 0x80u) != 0u ? words * 4 : words * -4;
}

static access multiple(uint32_t first, uint32_t words) {
  const int is_decrement_before = (first & 0x0180u) == 0x0100u;
  return make_access(first & 15u, is_decrement_before ? -(int32_t)(words * 4u) : 0, words * 4u);
}

/* 0xE800 .. 0xE9FF: LDM, STM, LDRD, STRD, LDREX, STREX; the byte and halfword forms and the table
 * branches access less than a word. */
static access load_store_multiple_or_dual(uint32_t first, uint32_t second) {
  if ((first & 0x0040u) == 0u) {
    return multiple(first, count_bits(second));
  }
  if ((first & 0x0120u) != 0u) {
    const int is_indexed_before = (first & 0x0100u) != 0u;
    return make_access(first & 15u, is_indexed_before ? immediate(first, second) : 0, 8u);
  }
  if ((first & 0x0080u) == 0u) {
    return make_access(first & 15u, (int32_t)(second & 0xFFu) * 4, 4u);
  }
  return NO_ACCESS;
}

/* 0xEC00 .. 0xEDFF on coprocessors 10 and 11: VLDR, VSTR, VLDM, VSTM. */
static access load_store_float(uint32_t first, uint32_t second) {
  if ((second & 0x0E00u) != 0x0A00u) {
    return NO_ACCESS;
  }
  if ((first & 0x0120u) == 0x0100u) {
    return make_access(first & 15u, immediate(first, second), (second & 0x0100u) != 0u ? 8u : 4u);
  }
  return (first & 0x01A0u) != 0u ? multiple(first, second & 0xFFu) : NO_ACCESS; /* else VMOV */
}

static access aligned_access_of(const uint8_t *code, uint32_t room) {
  const uint32_t first = halfword(code);
  if (first >= 0xC000u && first < 0xD000u) { /* LDM, STM */
    return make_access((first >> 8) & 7u, 0, 4u * count_bits(first & 0xFFu));
  }
  if (length_of(first) > room) {
    return NO_ACCESS;
  }
  if (first >= 0xE800u && first < 0xEA00u) {
    return load_store_multiple_or_dual(first, halfword(code + 2));
  }
  if (first >= 0xEC00u && first < 0xEE00u) {
    return load_store_float(first, halfword(code + 2));
  }
  return NO_ACCESS;
}

ps_thumb_summary ps_thumb_summarize(const uint8_t *code, uint32_t size_bytes) {
  ps_thumb_summary summary = {0, 0};
  uint32_t offset = 0;
  while (offset + 2u <= size_bytes) {
    summary.needs_alignment +=
        aligned_access_of(code + offset, size_bytes - offset).size_bytes != 0u;
    ++summary.instructions;
    offset += length_of(halfword(code + offset));
  }
  return summary;
}

int32_t ps_thumb_find_unaligned(const uint8_t *code, uint32_t size_bytes,
                                const uint32_t registers[16], uint32_t address) {
  uint32_t offset = 0;
  while (offset + 2u <= size_bytes) {
    const access wanted = aligned_access_of(code + offset, size_bytes - offset);
    const uint32_t start = registers[wanted.base] + (uint32_t)wanted.offset_bytes;
    if (address - start < wanted.size_bytes && (start & 3u) != 0u) {
      return (int32_t)offset;
    }
    offset += length_of(halfword(code + offset));
  }
  return -1;
}
