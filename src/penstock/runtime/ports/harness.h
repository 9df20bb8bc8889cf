/* Mailbox between the firmware and whoever controls the core: a debugger or the virtual board.
 *
 * main() stops at BKPT #PS_BKPT_READY with the mailbox filled in. The controller writes inputs at
 * the addresses that `model` gives, writes `command`, `first` and `last`, and resumes behind the
 * BKPT; at the next BKPT `status` holds the result. Without a debugger a BKPT is a fault. */
#ifndef PENSTOCK_PORTS_HARNESS_H
#define PENSTOCK_PORTS_HARNESS_H

#include <stdint.h>

#include "penstock/model.h"

#define PS_MAILBOX_MAGIC 0x504E5354u /* "PNST" */

/* Operands of BKPT: why the firmware stopped. */
#define PS_BKPT_READY 0x20        /* waiting for a command */
#define PS_BKPT_NMI 0x21          /* non-maskable interrupt */
#define PS_BKPT_HARD_FAULT 0x22   /* HardFault_Handler */
#define PS_BKPT_MEMORY_FAULT 0x23 /* MemManage_Handler */
#define PS_BKPT_BUS_FAULT 0x24    /* BusFault_Handler */
#define PS_BKPT_USAGE_FAULT 0x25  /* UsageFault_Handler */
#define PS_BKPT_INTERRUPT 0x26    /* an exception that nobody handles */
#define PS_BKPT_RETURNED 0x27     /* main returned */

typedef enum ps_command {
  PS_COMMAND_INIT = 1, /* model->init() */
  PS_COMMAND_RUN = 2   /* model->run_range(first, last) */
} ps_command;

/* Every member is one little-endian word on the targets. */
typedef struct ps_mailbox {
  uint32_t magic; /* PS_MAILBOX_MAGIC once main has started */
  const ps_model *model;
  uint32_t command; /* ps_command */
  uint32_t first;
  uint32_t last;
  uint32_t status; /* ps_status of the last command */
} ps_mailbox;

extern volatile ps_mailbox ps_harness_mailbox;

/* Defined by the generated NAME_harness.c. */
extern const ps_model *const ps_harness_model;

#endif
