/* Start-up of an ARMv7-M or ARMv8-M core: vector table, FPU, memory attributes, data, then main().
 *
 * Clocks and external memories are the integrator's: define ps_port_init(). The empty
 * default is enough for the virtual board, whose memories answer from reset, and for models that
 * live in internal memory; a real board with weights in QSPI flash or an arena in SDRAM needs the
 * memory controllers brought up there. */
#include <stdint.h>

#include "harness.h"

#define PS_TEXT_OF(value) #value
#define PS_STOP(number) __asm__ volatile("bkpt " PS_TEXT_OF(number) ::: "memory")
#define PS_BARRIER() __asm__ volatile("dsb\n\tisb" ::: "memory")
#define PS_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* System control block, ARMv7-M architecture reference manual B3.2.2 and B3.5. */
#define PS_VTOR 0xE000ED08u
#define PS_SHCSR 0xE000ED24u
#define PS_SHCSR_FAULTS (7u << 16) /* usage, bus and memory faults get their own handlers */
#define PS_CPACR 0xE000ED88u
#define PS_CPACR_FPU (0xFu << 20) /* full access to CP10 and CP11 */
#define PS_MPU_CTRL 0xE000ED94u
#define PS_MPU_CTRL_ON 5u /* ENABLE | PRIVDEFENA: the default map stays where no region is */
#define PS_MPU_RBAR 0xE000ED9Cu
#define PS_MPU_RBAR_VALID (1u << 4)
#define PS_MPU_RASR 0xE000EDA0u
/* Normal memory, write-back, write-allocate (TEX=1, C=1, B=1), read-write, no execution. */
#define PS_MPU_RASR_NORMAL ((1u << 28) | (3u << 24) | (1u << 19) | (1u << 17) | (1u << 16) | 1u)

/* Caches of a Cortex-M7, ARMv7-M architecture reference manual B2.2.7, B3.2.8 and B4.8; a core
 * without them reads zero from PS_CLIDR. */
#define PS_CCR 0xE000ED14u
#define PS_CCR_DATA_CACHE (1u << 16)
#define PS_CCR_INSTRUCTION_CACHE (1u << 17)
#define PS_CLIDR 0xE000ED78u
#define PS_CLIDR_HAS_CACHES 7u
#define PS_CCSIDR 0xE000ED80u
#define PS_CSSELR 0xE000ED84u
#define PS_CSSELR_DATA_CACHE 0u
#define PS_ICIALLU 0xE000EF50u
#define PS_DCISW 0xE000EF60u

typedef struct ps_copy_entry {
  const uint32_t *load;
  uint32_t *start;
  uint32_t size_bytes; /* a multiple of 4 */
} ps_copy_entry;

typedef struct ps_zero_entry {
  uint32_t *start;
  uint32_t size_bytes; /* a multiple of 4 */
} ps_zero_entry;

typedef struct ps_mpu_entry {
  uint32_t base;
  uint32_t size_log2;
} ps_mpu_entry;

typedef struct ps_vector_table {
  const uint32_t *stack_top;
  void (*handlers[15])(void);
} ps_vector_table;

/* Defined by the linker script. */
extern const uint32_t ps_stack_top[];
extern const uint32_t ps_copy_count;
extern const ps_copy_entry ps_copy_table[];
extern const uint32_t ps_zero_count;
extern const ps_zero_entry ps_zero_table[];
extern const uint32_t ps_mpu_count;
extern const ps_mpu_entry ps_mpu_table[];

/* Runs on the stack before any static object has its value: it must not use one. */
void ps_port_init(void);
__attribute__((weak)) void ps_port_init(void) {}

int main(void);
void Reset_Handler(void);
void NMI_Handler(void);
void HardFault_Handler(void);
void MemManage_Handler(void);
void BusFault_Handler(void);
void UsageFault_Handler(void);
void Default_Handler(void);

/* Only the exceptions of the core: the firmware enables no interrupt of the microcontroller. */
extern const ps_vector_table ps_vectors;
__attribute__((section(".vectors"), used)) const ps_vector_table ps_vectors = {
    ps_stack_top,
    {Reset_Handler, NMI_Handler, HardFault_Handler, MemManage_Handler, BusFault_Handler,
     UsageFault_Handler, 0, 0, 0, 0, Default_Handler, Default_Handler, 0, Default_Handler,
     Default_Handler}};

/* External RAM at 0xA0000000 .. 0xDFFFFFFF is Device memory by default: not cached, and an
 * unaligned access faults. The linker script lists what is RAM in truth. */
static void configure_memory_attributes(void) {
  uint32_t region;
  for (region = 0; region < ps_mpu_count; ++region) {
    PS_REGISTER(PS_MPU_RBAR) = ps_mpu_table[region].base | PS_MPU_RBAR_VALID | region;
    PS_REGISTER(PS_MPU_RASR) = PS_MPU_RASR_NORMAL | ((ps_mpu_table[region].size_log2 - 1u) << 1);
  }
  if (ps_mpu_count != 0u) {
    PS_REGISTER(PS_MPU_CTRL) = PS_MPU_CTRL_ON;
    PS_BARRIER();
  }
}

/* What is in a cache at reset is anything: it must not be taken for memory. */
static void invalidate_data_cache(void) {
  uint32_t geometry;
  uint32_t line_shift;
  uint32_t way_count;
  uint32_t way_shift = 32u;
  uint32_t set;
  uint32_t way;
  PS_REGISTER(PS_CSSELR) = PS_CSSELR_DATA_CACHE;
  PS_BARRIER();
  geometry = PS_REGISTER(PS_CCSIDR);
  line_shift = (geometry & 7u) + 4u;
  way_count = ((geometry >> 3) & 0x3FFu) + 1u;
  for (way = 1u; way < way_count; way *= 2u) {
    --way_shift;
  }
  for (set = 0; set <= ((geometry >> 13) & 0x7FFFu); ++set) {
    for (way = 0; way < way_count; ++way) {
      PS_REGISTER(PS_DCISW) = (way_shift < 32u ? way << way_shift : 0u) | (set << line_shift);
    }
  }
}

static void enable_caches(void) {
  if ((PS_REGISTER(PS_CLIDR) & PS_CLIDR_HAS_CACHES) == 0u) {
    return;
  }
  PS_REGISTER(PS_ICIALLU) = 0u;
  invalidate_data_cache();
  PS_BARRIER();
  PS_REGISTER(PS_CCR) |= PS_CCR_INSTRUCTION_CACHE | PS_CCR_DATA_CACHE;
  PS_BARRIER();
}

static void initialize_memory(void) {
  uint32_t entry;
  uint32_t word;
  for (entry = 0; entry < ps_copy_count; ++entry) {
    const ps_copy_entry copy = ps_copy_table[entry];
    for (word = 0; word < copy.size_bytes / 4u; ++word) {
      copy.start[word] = copy.load[word];
    }
  }
  for (entry = 0; entry < ps_zero_count; ++entry) {
    const ps_zero_entry zero = ps_zero_table[entry];
    for (word = 0; word < zero.size_bytes / 4u; ++word) {
      zero.start[word] = 0u;
    }
  }
}

void Reset_Handler(void) {
  PS_REGISTER(PS_VTOR) = (uint32_t)(uintptr_t)&ps_vectors;
  PS_REGISTER(PS_SHCSR) |= PS_SHCSR_FAULTS;
  PS_REGISTER(PS_CPACR) |= PS_CPACR_FPU;
  PS_BARRIER();
  ps_port_init();
  configure_memory_attributes();
  enable_caches();
  initialize_memory();
  (void)main();
  for (;;) {
    PS_STOP(PS_BKPT_RETURNED);
  }
}

#define PS_STOPPING_HANDLER(name, number) \
  __attribute__((weak)) void name(void) { \
    for (;;) {                            \
      PS_STOP(number);                    \
    }                                     \
  }

PS_STOPPING_HANDLER(NMI_Handler, PS_BKPT_NMI)
PS_STOPPING_HANDLER(HardFault_Handler, PS_BKPT_HARD_FAULT)
PS_STOPPING_HANDLER(MemManage_Handler, PS_BKPT_MEMORY_FAULT)
PS_STOPPING_HANDLER(BusFault_Handler, PS_BKPT_BUS_FAULT)
PS_STOPPING_HANDLER(UsageFault_Handler, PS_BKPT_USAGE_FAULT)
PS_STOPPING_HANDLER(Default_Handler, PS_BKPT_INTERRUPT)
