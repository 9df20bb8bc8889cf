/* Maintenance of a Cortex-M7's data cache by address: ARMv7-M architecture reference manual
 * B2.2.7. On cores without one, PS_CACHE_LINE_BYTES is 0 and nothing happens. */
#if !defined(__arm__) && !defined(__ICCARM__)
#error "this driver is for the board's Arm core: elsewhere set <NAME>_COPIES to core (cmake -D)"
#endif

#include "ps_dma.h"
#include "ps_dma_board.h"

#define PS_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define PS_DCIMVAC 0xE000EF5Cu  /* invalidate */
#define PS_DCCMVAC 0xE000EF68u  /* clean */
#define PS_DCCIMVAC 0xE000EF70u /* clean and invalidate */
#define PS_BARRIER() __asm__ volatile("dsb" ::: "memory")

#if PS_CACHE_LINE_BYTES > 0
static uint32_t line_of(uint32_t address) {
  return address & ~(PS_CACHE_LINE_BYTES - 1u);
}
#endif

void ps_cache_clean(const void *address, uint32_t size_bytes) {
#if PS_CACHE_LINE_BYTES > 0
  const uint32_t end = (uint32_t)(uintptr_t)address + size_bytes;
  uint32_t line = line_of((uint32_t)(uintptr_t)address);
  PS_BARRIER();
  for (; line < end; line += PS_CACHE_LINE_BYTES) {
    PS_REGISTER(PS_DCCMVAC) = line;
  }
  PS_BARRIER();
#else
  (void)address;
  (void)size_bytes;
#endif
}

void ps_cache_invalidate(void *address, uint32_t size_bytes) {
#if PS_CACHE_LINE_BYTES > 0
  const uint32_t start = (uint32_t)(uintptr_t)address;
  const uint32_t end = start + size_bytes;
  uint32_t line = line_of(start);
  PS_BARRIER();
  for (; line < end; line += PS_CACHE_LINE_BYTES) {
    const uint32_t is_whole = line >= start && end - line >= PS_CACHE_LINE_BYTES;
    PS_REGISTER(is_whole != 0u ? PS_DCIMVAC : PS_DCCIMVAC) = line;
  }
  PS_BARRIER();
#else
  (void)address;
  (void)size_bytes;
#endif
}
