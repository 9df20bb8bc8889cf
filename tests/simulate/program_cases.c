/* A program that somebody else might have linked: it knows nothing of Penstock. */
#include <stdint.h>

#define NOINLINE __attribute__((noinline, used))

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

void counted(void); /* program_cases.S */

NOINLINE int32_t semihost(int32_t operation, const void *parameter) {
  register int32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = parameter;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static volatile uint32_t initialized = 0x1234u;
volatile uint32_t cleared;
int32_t table[64];
volatile uint8_t inbox[16];

NOINLINE int32_t work(int32_t count, int32_t step) {
  int32_t index;
  int32_t sum = 0;
  for (index = 0; index < count; ++index) {
    table[index & 63] += step;
    sum += table[index & 63];
  }
  return sum;
}

/* Traps divisions by zero, in a register that also holds the enable bits of caches. */
NOINLINE int32_t control_then_work(void) {
  volatile uint32_t *control = (volatile uint32_t *)(uintptr_t)0xE000ED14u;
  *control |= 1u << 4;
  return work(20, 1);
}

NOINLINE void done(void) { cleared += 1u; }
NOINLINE uint32_t state(void) { return initialized + cleared; }
NOINLINE uint32_t arguments(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a + 10u * b + 100u * c + 1000u * d;
}
NOINLINE uint32_t sum_of_inbox(void) {
  uint32_t sum = 0;
  unsigned index;
  for (index = 0; index < sizeof inbox; ++index) {
    sum += inbox[index];
  }
  return sum;
}
NOINLINE void writes_nowhere(void) { *(volatile uint32_t *)(uintptr_t)0x30000000u = 1u; }
NOINLINE void jumps_nowhere(void) { ((void (*)(void))(uintptr_t)0x70000001u)(); }
NOINLINE void endless(void) {
  for (;;) {
    cleared = 1u;
  }
}
NOINLINE void sleeps(void) { __asm__ volatile("wfi"); }
NOINLINE void undefined(void) { __asm__ volatile("udf #0"); }
NOINLINE void breaks(void) { __asm__ volatile("bkpt 1"); }
NOINLINE void asks_with_a_wild_pointer(void) { semihost(4, (const void *)(uintptr_t)0x70000000u); }
NOINLINE void leaves(void) {
  const uint32_t block[2] = {0x20026u, 3u};
  semihost(0x20, block);
}
/* Beside the register that gives a DMA controller its clock. */
NOINLINE uint32_t waits_beside_a_clock_bit(void) {
  volatile uint32_t *control = (volatile uint32_t *)(uintptr_t)0x40023800u;
  control[12] |= 1u << 22;
  while ((control[0] & 2u) == 0u) {
  }
  return control[12];
}
/* As above: from flash to SRAM1 by stream 0 of DMA2, polling its flag. */
NOINLINE uint32_t copies_by_dma(void) {
  enum { WORDS = 4096 };
  volatile uint32_t *dma = (volatile uint32_t *)(uintptr_t)0x40026400u;
  *(volatile uint32_t *)(uintptr_t)0x40023830u |= 1u << 22;
  dma[5] = WORDS;                              /* S0NDTR */
  dma[6] = 0x08000000u;                        /* S0PAR */
  dma[7] = 0x20010000u;                        /* S0M0AR */
  dma[9] = 1u << 2;                            /* S0FCR: no direct mode */
  dma[4] = 2u << 13 | 2u << 11 | 3u << 9 | 2u << 6 | 1u; /* S0CR: words, memory to memory */
  while ((dma[0] & 1u << 5) == 0u) {           /* LISR: complete */
  }
  return dma[5] == 0u ? ((volatile uint32_t *)(uintptr_t)0x20010000u)[1] : 0u;
}
/* On an STM32L4. */
NOINLINE void asks_the_second_dma_controller(void) {
  *(volatile uint32_t *)(uintptr_t)0x40020404u = 1u;
}
/* As programs wait for a serial port, or start-up code for a clock switch. */
NOINLINE uint32_t waits_for_clocks(void) {
  volatile uint32_t *control = (volatile uint32_t *)(uintptr_t)0x40011000u;
  control[0] |= 1u;
  while ((control[0] & 2u) == 0u) {
  }
  control[2] = 2u;
  while (((control[2] >> 2) & 3u) != 2u) {
  }
  return 1u;
}

/* As vendors' examples time a function: what is left of the reload value. */
NOINLINE uint32_t systick_of_work(int32_t count) {
  volatile uint32_t *systick = (volatile uint32_t *)(uintptr_t)0xE000E010u;
  systick[1] = 0xFFFFFFu;
  systick[2] = 0u;
  systick[0] = 5u;
  work(count, 1);
  return systick[1] - systick[2];
}
/* As LL_mDelay waits; returns CTRL as the loop left it. */
NOINLINE uint32_t delays(uint32_t periods) {
  volatile uint32_t *systick = (volatile uint32_t *)(uintptr_t)0xE000E010u;
  systick[1] = 999u;
  systick[2] = 0u;
  systick[0] = 5u;
  while (periods != 0u) {
    if ((systick[0] & 1u << 16) != 0u) {
      --periods;
    }
  }
  return systick[0];
}
NOINLINE uint32_t flag_after_work(uint32_t reload) {
  volatile uint32_t *systick = (volatile uint32_t *)(uintptr_t)0xE000E010u;
  systick[1] = reload;
  systick[2] = 0u;
  systick[0] = 5u;
  work(100, 1);
  return systick[0] >> 16;
}
/* The reload value becomes 0 while SysTick counts, so that it stops there; returns the flag, read
 * twice, and the value. */
NOINLINE uint32_t counts_down_once(uint32_t start) {
  volatile uint32_t *systick = (volatile uint32_t *)(uintptr_t)0xE000E010u;
  uint32_t first;
  systick[1] = start;
  systick[2] = 0u;
  systick[0] = 5u;
  systick[1] = 0u;
  work(100, 1);
  first = systick[0] >> 16;
  work(100, 1);
  return 100u * first + 10u * (systick[0] >> 16) + systick[2];
}
/* Switches SysTick off, and waits. */
NOINLINE uint32_t stopped_systick(int32_t count) {
  volatile uint32_t *systick = (volatile uint32_t *)(uintptr_t)0xE000E010u;
  uint32_t value;
  systick[1] = 0xFFFFFFu;
  systick[2] = 0u;
  systick[0] = 5u;
  work(1, 1);
  systick[0] = 4u;
  value = systick[2];
  work(count, 1);
  return value - systick[2];
}
NOINLINE uint32_t cycle_counter_over_work(uint32_t debug_control, uint32_t control) {
  volatile uint32_t *counter = (volatile uint32_t *)(uintptr_t)0xE0001000u;
  *(volatile uint32_t *)(uintptr_t)0xE000EDFCu = debug_control;
  counter[0] = control;
  counter[1] = 1000u;
  work(100, 1);
  return counter[1];
}
NOINLINE uint32_t stopped_cycle_counter(void) {
  volatile uint32_t *counter = (volatile uint32_t *)(uintptr_t)0xE0001000u;
  const uint32_t counted = cycle_counter_over_work(1u << 24, 1u);
  counter[0] = 0u;
  work(100, 1);
  return counter[1] - counted;
}
/* Region 0 of an MPU of ARMv8-M: Normal memory by MPU_MAIR0. To one of ARMv7-M it were Device. */
NOINLINE uint32_t reads_unaligned_with_an_armv8m_mpu(void) {
  volatile uint32_t *mpu = (volatile uint32_t *)(uintptr_t)0xE000ED94u;
  mpu[11] = 0xFFu;       /* MPU_MAIR0 */
  mpu[1] = 0u;           /* MPU_RNR */
  mpu[2] = 0x20010002u;  /* MPU_RBAR */
  mpu[3] = 0x20010FE1u;  /* MPU_RLAR: 4 KiB */
  mpu[0] = 5u;           /* MPU_CTRL */
  return *(volatile uint32_t *)(uintptr_t)0x20018001u;
}

__attribute__((noinline)) int main(void) {
  int turn;
  const uint32_t block[2] = {0x20026u, 7u};
  semihost(4, "started\n");
  for (turn = 1; turn <= 3; ++turn) {
    work(turn, 1);
    done();
  }
  counted();
  semihost(4, "finished\n");
  semihost(0x20, block);
  return 0;
}

void Reset_Handler(void);
void Reset_Handler(void) {
  uint32_t *target = data_start;
  const uint32_t *source = data_load;
  while (target < data_end) {
    *target++ = *source++;
  }
  for (target = bss_start; target < bss_end; ++target) {
    *target = 0u;
  }
  main();
  for (;;) {
  }
}

typedef struct vectors {
  uint32_t *stack;
  void (*reset)(void);
} vectors;
__attribute__((section(".vectors"), used)) const vectors vector_table = {stack_top, Reset_Handler};
__attribute__((used)) const void *const kept[] = {
    work,    done,     state,     arguments, sum_of_inbox, writes_nowhere,           jumps_nowhere,
    endless, sleeps,   undefined, breaks,    leaves,       asks_with_a_wild_pointer, waits_for_clocks,
};
