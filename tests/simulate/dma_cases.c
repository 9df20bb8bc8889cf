/* One operator that copies as a job says, with every step that may be forgotten behind a flag. */
#include "harness.h"
#include "penstock/model.h"
#include "ps_dma.h"
#include "ps_dma_board.h"

#define PS_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define PS_CCR 0xE000ED14u
#define PS_CCR_CACHES ((1u << 16) | (1u << 17))

enum {
  JOB_WRITE_SOURCE = 1,       /* the core writes what will be copied */
  JOB_READ_DESTINATION = 2,   /* the core reads what will be overwritten */
  JOB_WRITE_DESTINATION = 4,  /* or writes it */
  JOB_CLEAN_SOURCE = 8,
  JOB_INVALIDATE_BEFORE = 16,
  JOB_START = 32,
  JOB_COMPUTE = 64,
  JOB_WAIT = 128,
  JOB_INVALIDATE_AFTER = 256,
  JOB_READ = 512,             /* the core reads what was copied */
  JOB_WRITE = 1024,           /* or writes into it */
  JOB_WRITE_SOURCE_AFTER = 2048,
  JOB_START_OTHER = 4096,     /* a second copy, on the next channel */
  JOB_WAIT_OTHER = 8192,
  JOB_SLEEP = 16384,          /* WFI with nothing to wake it */
  JOB_READ_PROBE = 32768,     /* the core reads a word at `probe` */
  JOB_POKE = 65536,           /* the core writes `destination` to a register at `probe` */
  JOB_PRELOAD = 131072        /* the core asks for a line at `probe` while it is copied */
};

typedef struct dma_job {
  uint32_t flags;
  uint32_t channel;
  uint32_t destination;
  uint32_t source;
  uint32_t size_bytes;
  uint32_t probe; /* for JOB_READ_PROBE, JOB_POKE and JOB_PRELOAD; the destination of the second copy */
  uint32_t sum;
  uint32_t status;
  uint32_t cycles;
} dma_job;

#define DMA_ARENA_BYTES 8192
__attribute__((section(".penstock_weights"), aligned(32))) const int8_t dmacases_weights[8192] = {1};
__attribute__((section(".penstock_arena"), aligned(32))) int8_t dmacases_arena[DMA_ARENA_BYTES];
volatile dma_job dmacases_job;
static volatile uint32_t dmacases_scratch[256];

static void write_bytes(uint32_t address, uint32_t size_bytes) {
  volatile uint8_t *bytes = (volatile uint8_t *)(uintptr_t)address;
  uint32_t index;
  for (index = 0; index < size_bytes; ++index) {
    bytes[index] = (uint8_t)(index * 7u + size_bytes);
  }
}

static uint32_t read_bytes(uint32_t address, uint32_t size_bytes) {
  const volatile uint8_t *bytes = (const volatile uint8_t *)(uintptr_t)address;
  uint32_t sum = 0;
  uint32_t index;
  for (index = 0; index < size_bytes; ++index) {
    sum += bytes[index];
  }
  return sum;
}

static void compute(void) {
  uint32_t index;
  for (index = 0; index < 256u; ++index) {
    dmacases_scratch[index] = index * dmacases_job.size_bytes;
  }
}

static void *pointer(uint32_t address) {
  return (void *)(uintptr_t)address;
}

static void prepare(const dma_job *job) {
  if ((job->flags & JOB_WRITE_SOURCE) != 0u) {
    write_bytes(job->source, job->size_bytes);
  }
  if ((job->flags & JOB_READ_DESTINATION) != 0u) {
    dmacases_job.sum = read_bytes(job->destination, job->size_bytes);
  }
  if ((job->flags & JOB_WRITE_DESTINATION) != 0u) {
    write_bytes(job->destination, job->size_bytes);
  }
  if ((job->flags & JOB_CLEAN_SOURCE) != 0u) {
    ps_cache_clean(pointer(job->source), job->size_bytes);
  }
  if ((job->flags & JOB_INVALIDATE_BEFORE) != 0u) {
    ps_cache_invalidate(pointer(job->destination), job->size_bytes);
    if ((job->flags & JOB_START_OTHER) != 0u) {
      ps_cache_invalidate(pointer(job->probe), job->size_bytes);
    }
  }
}

static void copy(const dma_job *job) {
  const uint32_t start = PS_REGISTER(0xE0001004u);
  if ((job->flags & JOB_START) != 0u) {
    ps_dma_copy_start(job->channel, pointer(job->destination), pointer(job->source),
                      job->size_bytes);
  }
  if ((job->flags & JOB_START_OTHER) != 0u) {
    ps_dma_copy_start(job->channel + 1u, pointer(job->probe), pointer(job->source),
                      job->size_bytes);
  }
  if ((job->flags & JOB_PRELOAD) != 0u) {
    __builtin_prefetch((const void *)(uintptr_t)job->probe);
  }
  if ((job->flags & JOB_COMPUTE) != 0u) {
    compute();
  }
  if ((job->flags & JOB_WAIT) != 0u) {
    dmacases_job.status = (uint32_t)ps_dma_wait(job->channel);
  }
  if ((job->flags & JOB_WAIT_OTHER) != 0u) {
    dmacases_job.status |= (uint32_t)ps_dma_wait(job->channel + 1u);
  }
  dmacases_job.cycles = PS_REGISTER(0xE0001004u) - start;
}

static void use(const dma_job *job) {
  if ((job->flags & JOB_INVALIDATE_AFTER) != 0u) {
    ps_cache_invalidate(pointer(job->destination), job->size_bytes);
  }
  if ((job->flags & JOB_READ) != 0u) {
    dmacases_job.sum = read_bytes(job->destination, job->size_bytes);
  }
  if ((job->flags & JOB_WRITE) != 0u) {
    write_bytes(job->destination, job->size_bytes);
  }
  if ((job->flags & JOB_WRITE_SOURCE_AFTER) != 0u) {
    write_bytes(job->source, job->size_bytes);
  }
  if ((job->flags & JOB_READ_PROBE) != 0u) {
    dmacases_job.sum = PS_REGISTER(job->probe);
  }
  if ((job->flags & JOB_POKE) != 0u) {
    PS_REGISTER(job->probe) = job->destination;
  }
  if ((job->flags & JOB_SLEEP) != 0u) {
    __asm__ volatile("wfi");
  }
}

void dmacases_op_000_copy(void);
__attribute__((noinline)) void dmacases_op_000_copy(void) {
  const dma_job job = dmacases_job;
  prepare(&job);
  copy(&job);
  use(&job);
}

static const char *const names[] = {"COPY"};
static const int32_t shape[] = {64};
static const ps_tensor inputs[] = {
    {"in", (void *)(uintptr_t)dmacases_weights, 64, PS_INT8, 1, shape, 0.5f, 0}};
static const ps_tensor outputs[] = {{"out", dmacases_arena, 64, PS_INT8, 1, shape, 0.5f, 0}};

static ps_status init(void) {
  ps_dma_init();
  PS_REGISTER(0xE000EDFCu) |= 1u << 24; /* DEMCR.TRCENA */
  PS_REGISTER(0xE0001000u) |= 1u;       /* DWT_CTRL.CYCCNTENA */
#if PS_CACHE_LINE_BYTES > 0
  PS_REGISTER(PS_CCR) |= PS_CCR_CACHES;
#endif
  return PS_OK;
}

static ps_status run_range(uint32_t first, uint32_t last) {
  for (; first < last; ++first) {
    dmacases_op_000_copy();
  }
  return PS_OK;
}

const ps_model dmacases_model = {"dmacases", 1, 1, 1, inputs, outputs, names, init, run_range};
const ps_model *const ps_harness_model = &dmacases_model;
