/* Operators that behave and operators that each break one rule of the board. */
#include "harness.h"
#include "penstock/model.h"

#define OPERATOR(name) \
  void name(void);     \
  __attribute__((noinline)) void name(void)

__attribute__((section(".penstock_weights"))) const int8_t cases_weights[64] = {1, 2, 3, 4, 5};
__attribute__((section(".penstock_arena"), aligned(16))) int8_t cases_arena[512];
static volatile uint32_t cases_sink;
static uint32_t cases_initialized = 0x12345678u;
static uint32_t cases_cleared;

static volatile uint32_t *word_at(uint32_t address) {
  return (volatile uint32_t *)(uintptr_t)address;
}

OPERATOR(cases_op_000_fully_connected) {
  int index;
  for (index = 0; index < 64; ++index) {
    cases_arena[64 + index] = (int8_t)(cases_arena[index] + cases_weights[index]);
  }
}

OPERATOR(cases_op_001_writes_flash) { *word_at(0x08000010u) = 1u; }

__attribute__((noinline)) static void callee_that_reads(uint32_t address) {
  cases_sink = *word_at(address);
  __asm__ volatile("nop");
}

OPERATOR(cases_op_002_reads_outside) { callee_that_reads(0x20050000u); }

OPERATOR(cases_op_003_jumps_outside) { ((void (*)(void))(uintptr_t)0x70000001u)(); }

__attribute__((noinline)) static uint32_t dig(uint32_t depth) {
  volatile uint32_t hole[64];
  hole[depth & 63u] = depth;
  return depth == 0u ? 0u : dig(depth - 1u) + hole[depth & 63u];
}

OPERATOR(cases_op_004_overflows_stack) { cases_sink = dig(1000u); }

OPERATOR(cases_op_005_undefined) { __asm__ volatile("udf #0"); }

OPERATOR(cases_op_006_endless) {
  for (;;) {
    cases_sink = 1u;
  }
}

OPERATOR(cases_op_007_unaligned_pair) {
  uint32_t address = (uint32_t)(uintptr_t)cases_arena + 1u;
  __asm__ volatile("nop\n\tldrd r2, r3, [%0, #4]" : : "r"(address) : "r2", "r3", "memory");
}

OPERATOR(cases_op_008_executes_sdram) { ((void (*)(void))(uintptr_t)0xC0000001u)(); }

OPERATOR(cases_op_009_supervisor) { __asm__ volatile("svc #0"); }

OPERATOR(cases_op_010_breakpoint) { __asm__ volatile("bkpt 0x42"); }

OPERATOR(cases_op_011_unaligned_word) {
  uint32_t address = (uint32_t)(uintptr_t)cases_arena + 1u;
  uint32_t value;
  __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
  cases_sink = value;
}

OPERATOR(cases_op_012_peripheral) {
  *word_at(0x40023800u) = 0xABCDu;
  cases_sink = *word_at(0x40023800u) + *word_at(0xE000E010u);
  *word_at(0x20002FF0u) = cases_sink;
}

OPERATOR(cases_op_013_writes_behind_qspi) { *word_at(0x91000000u) = 1u; }

OPERATOR(cases_op_014_leaves_thumb) { ((void (*)(void))(uintptr_t)0x08000100u)(); }

OPERATOR(cases_op_015_alias) {
  *word_at(0x60001000u) = 0xCAFEF00Du;
  cases_sink = *word_at(0xC0001000u);
  *word_at(0xC0001004u) = cases_sink + 1u;
}

OPERATOR(cases_op_016_it_block) {
  static const uint32_t values[2] = {111u, 222u};
  uint32_t *results = (uint32_t *)(void *)(cases_arena + 256);
  uint32_t selector;
  for (selector = 0; selector < 2u; ++selector) {
    uint32_t loaded = 0u;
    __asm__ volatile(
        "cmp %1, #0\n\tite eq\n\tldreq %0, [%2]\n\tldrne %0, [%2, #4]"
        : "+r"(loaded)
        : "r"(selector), "r"(values)
        : "cc", "memory");
    results[selector] = loaded;
  }
}

OPERATOR(cases_op_017_mixed) {
  uint32_t state = 1u;
  volatile float sum = 0.0f;
  int64_t product = 1;
  uint32_t index;
  for (index = 0; index < 2000u; ++index) {
    state = state * 1664525u + 1013904223u;
    product = product * (int32_t)state + (int64_t)index;
    if ((state >> 28) < 5u) {
      sum = sum + (float)(state >> 16);
    } else if ((state >> 24) % 3u == 0u) {
      cases_arena[128 + (state >> 25)] ^= (int8_t)(product >> 20);
    }
  }
  *(volatile float *)(void *)(cases_arena + 300) = sum;
}

OPERATOR(cases_op_018_reads_statics) {
  uint32_t *results = (uint32_t *)(void *)(cases_arena + 320);
  results[0] = cases_initialized++;
  results[1] = cases_cleared++;
}

OPERATOR(cases_op_019_digs_a_little) { cases_sink = dig(40u); }

OPERATOR(cases_op_020_digs_safely) { cases_sink = dig(10u); }

static void (*const operators[])(void) = {
    cases_op_000_fully_connected, cases_op_001_writes_flash,   cases_op_002_reads_outside,
    cases_op_003_jumps_outside,   cases_op_004_overflows_stack, cases_op_005_undefined,
    cases_op_006_endless,         cases_op_007_unaligned_pair,  cases_op_008_executes_sdram,
    cases_op_009_supervisor,      cases_op_010_breakpoint,      cases_op_011_unaligned_word,
    cases_op_012_peripheral,      cases_op_013_writes_behind_qspi, cases_op_014_leaves_thumb,
    cases_op_015_alias,           cases_op_016_it_block,        cases_op_017_mixed,
    cases_op_018_reads_statics,   cases_op_019_digs_a_little,
    cases_op_020_digs_safely};

/* How many of them the model has; the first alone is harmless. */
#ifndef CASES_COUNT
#define CASES_COUNT (sizeof operators / sizeof operators[0])
#endif
enum { COUNT = CASES_COUNT };

static const char *const names[] = {
    "FULLY_CONNECTED", "FLASH",  "OUTSIDE",   "JUMP",   "STACK",        "UNDEFINED",  "ENDLESS",
    "PAIR",            "SDRAM",  "SVC",       "BKPT",   "WORD",         "PERIPHERAL", "QSPI",
    "ARM",             "ALIAS",  "IT",        "MIXED",  "STATICS", "DIG",
    "SAFE"};
static const int32_t shape[] = {1, 64};
static const ps_tensor inputs[] = {{"in", cases_arena, 64, PS_INT8, 2, shape, 0.5f, -3}};
static const ps_tensor outputs[] = {{"out", cases_arena + 64, 64, PS_INT8, 2, shape, 0.25f, 7}};
static int is_initialized;

static ps_status init(void) {
  is_initialized = 1;
  return PS_OK;
}

static ps_status run_range(uint32_t first, uint32_t last) {
  if (!is_initialized) {
    return PS_ERROR_NOT_INITIALIZED;
  }
  if (last > COUNT) {
    return PS_ERROR_INDEX;
  }
  for (; first < last; ++first) {
    operators[first]();
  }
  return PS_OK;
}

const ps_model cases_model = {"cases", COUNT, 1, 1, inputs, outputs, names, init, run_range};
const ps_model *const ps_harness_model = &cases_model;
