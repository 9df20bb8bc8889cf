/* Instructions of the DSP extension (Armv7E-M, Armv8-M), and the same in plain C elsewhere.
 *
 * A word holds four int8 or two int16, the first in the lowest bits.
 */
#ifndef PENSTOCK_DSP_H
#define PENSTOCK_DSP_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
#define PS_HAS_DSP 1
#else
#define PS_HAS_DSP 0
#endif

/* For parameters that only assembly reads. */
#if defined(__GNUC__)
#define PS_UNUSED __attribute__((unused))
#else
#define PS_UNUSED
#endif

/* For functions whose arguments are constants where they are called, and for rare cases, which would
 * take registers from the others. */
#if defined(__GNUC__)
#define PS_INLINE static inline __attribute__((always_inline))
#define PS_NOINLINE static __attribute__((noinline))
#else
#define PS_INLINE static inline
#define PS_NOINLINE static
#endif

/* Returns the word at an address of any alignment. */
static inline uint32_t ps_load_word(const void *address) {
  uint32_t word;
  memcpy(&word, address, sizeof word);
  return word;
}

/* Writes a word to an address of any alignment. */
static inline void ps_store_word(void *address, uint32_t word) {
  memcpy(address, &word, sizeof word);
}

/* Returns two int16 as a word. */
static inline uint32_t ps_pair(int32_t low, int32_t high) {
  return ((uint32_t)low & 0xFFFFU) | ((uint32_t)high << 16);
}

/* Returns the sums of both int16, each modulo 2^16. */
static inline uint32_t ps_add_pairs(uint32_t left, uint32_t right) {
#if PS_HAS_DSP
  uint32_t result;
  __asm__("sadd16 %0, %1, %2" : "=r"(result) : "r"(left), "r"(right));
  return result;
#else
  return ((left + right) & 0xFFFFU) | ((left & 0xFFFF0000U) + (right & 0xFFFF0000U));
#endif
}

/* Returns the differences of both int16, each modulo 2^16. */
static inline uint32_t ps_subtract_pairs(uint32_t left, uint32_t right) {
#if PS_HAS_DSP
  uint32_t result;
  __asm__("ssub16 %0, %1, %2" : "=r"(result) : "r"(left), "r"(right));
  return result;
#else
  return ((left - right) & 0xFFFFU) | ((left & 0xFFFF0000U) - (right & 0xFFFF0000U));
#endif
}

/* Lets a core that has a data cache begin to read what it will need. */
static inline void ps_preload(const void *address) {
#if PS_HAS_DSP
  __builtin_prefetch(address);
#else
  (void)address;
#endif
}

/* Returns bytes 0 and 2 as int16. */
static inline uint32_t ps_even_bytes(uint32_t bytes) {
#if PS_HAS_DSP
  uint32_t result;
  __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(bytes));
  return result;
#else
  return ps_pair((int8_t)bytes, (int8_t)(bytes >> 16));
#endif
}

/* Returns bytes 1 and 3 as int16. */
static inline uint32_t ps_odd_bytes(uint32_t bytes) {
#if PS_HAS_DSP
  uint32_t result;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(bytes));
  return result;
#else
  return ps_even_bytes(bytes >> 8);
#endif
}

/* Returns bytes 0 and 2 as int16, each added to that of addends. */
static inline uint32_t ps_widen_even(uint32_t addends, uint32_t bytes) {
#if PS_HAS_DSP
  uint32_t result;
  __asm__("sxtab16 %0, %1, %2" : "=r"(result) : "r"(addends), "r"(bytes));
  return result;
#else
  return ps_pair((int16_t)addends + (int8_t)bytes, (int16_t)(addends >> 16) + (int8_t)(bytes >> 16));
#endif
}

/* Returns bytes 1 and 3 as int16, each added to that of addends. */
static inline uint32_t ps_widen_odd(uint32_t addends, uint32_t bytes) {
#if PS_HAS_DSP
  uint32_t result;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(addends), "r"(bytes));
  return result;
#else
  return ps_widen_even(addends, bytes >> 8);
#endif
}

/* Returns of each two int8 the first where it is at least the second and is_larger, or where it is not
 * and !is_larger; the second otherwise. */
static inline uint32_t ps_choose_bytes(uint32_t first, uint32_t second, int is_larger) {
#if PS_HAS_DSP
  uint32_t chosen;
  if (is_larger) {
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(chosen) : "r"(first), "r"(second) : "cc");
  } else {
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(chosen) : "r"(first), "r"(second) : "cc");
  }
  return chosen;
#else
  uint32_t chosen = 0;
  for (int32_t bit = 0; bit < 32; bit += 8) {
    const int is_first = ((int8_t)(first >> bit) >= (int8_t)(second >> bit)) == (is_larger != 0);
    chosen |= (is_first ? first : second) & (0xFFU << bit);
  }
  return chosen;
#endif
}

/* Returns the larger one of each two int8. */
static inline uint32_t ps_larger_bytes(uint32_t left, uint32_t right) {
  return ps_choose_bytes(left, right, 1);
}

/* Returns the smaller one of each two int8. */
static inline uint32_t ps_smaller_bytes(uint32_t left, uint32_t right) {
  return ps_choose_bytes(left, right, 0);
}

/* Returns sum + the products of the low and of the high int16, modulo 2^32. */
static inline int32_t ps_multiply_pairs(uint32_t left, uint32_t right, int32_t sum) {
#if PS_HAS_DSP
  __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(left), "r"(right));
  return sum;
#else
  const int32_t low = (int16_t)left * (int16_t)right;
  const int32_t high = (int16_t)(left >> 16) * (int16_t)(right >> 16);
  return (int32_t)((uint32_t)sum + (uint32_t)low + (uint32_t)high);
#endif
}

/* Returns sum + the product of the high int16 of left and the low one of right, modulo 2^32. */
static inline int32_t ps_multiply_high_low(uint32_t left, uint32_t right, int32_t sum) {
#if PS_HAS_DSP
  __asm__("smlatb %0, %1, %2, %0" : "+r"(sum) : "r"(left), "r"(right));
  return sum;
#else
  return (int32_t)((uint32_t)sum + (uint32_t)((int16_t)(left >> 16) * (int16_t)right));
#endif
}

/* Returns sum + the product of the low int16 of left and the high one of right, modulo 2^32. */
static inline int32_t ps_multiply_low_high(uint32_t left, uint32_t right, int32_t sum) {
  return ps_multiply_high_low(right, left, sum);
}

/* Returns the low int16 of both, the first in the low half. */
static inline uint32_t ps_low_halves(uint32_t first, uint32_t second) {
#if PS_HAS_DSP
  uint32_t result;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(first), "r"(second));
  return result;
#else
  return (first & 0xFFFFU) | (second << 16);
#endif
}

/* Returns the high int16 of both, the first in the low half. */
static inline uint32_t ps_high_halves(uint32_t first, uint32_t second) {
#if PS_HAS_DSP
  uint32_t result;
  __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(result) : "r"(second), "r"(first));
  return result;
#else
  return (first >> 16) | (second & 0xFFFF0000U);
#endif
}

/* Returns the upper word of left * right, rounded to nearest, halves up. */
static inline int32_t ps_multiply_upper(int32_t left, int32_t right) {
#if PS_HAS_DSP
  int32_t result;
  __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(left), "r"(right));
  return result;
#else
  return (int32_t)(((int64_t)left * right + ((int64_t)1 << 31)) >> 32);
#endif
}

#ifdef __cplusplus
}
#endif

#endif
