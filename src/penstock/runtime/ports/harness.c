/* main() of the test firmware: obeys the mailbox. See harness.h. */
#include "harness.h"

#define PS_TEXT_OF(value) #value
#define PS_STOP(number) __asm__ volatile("bkpt " PS_TEXT_OF(number) ::: "memory")

volatile ps_mailbox ps_harness_mailbox;

static ps_status execute(void) {
  switch (ps_harness_mailbox.command) {
    case PS_COMMAND_INIT:
      return ps_harness_model->init();
    case PS_COMMAND_RUN:
      return ps_harness_model->run_range(ps_harness_mailbox.first, ps_harness_mailbox.last);
    default:
      return PS_ERROR_INDEX;
  }
}

int main(void) {
  ps_harness_mailbox.model = ps_harness_model;
  ps_harness_mailbox.magic = PS_MAILBOX_MAGIC;
  for (;;) {
    PS_STOP(PS_BKPT_READY);
    ps_harness_mailbox.status = (uint32_t)execute();
  }
}
