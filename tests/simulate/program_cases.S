/* Stretches whose instructions can be counted by hand. */
  .syntax unified
  .thumb
  .section .text.counted, "ax", %progbits
  .global counted
  .thumb_func
counted:
  movs r0, #10
  nop
  .global counted_middle
counted_middle:
  nop
1:
  subs r0, r0, #1
  bne 1b
  .global counted_end
counted_end:
  nop
  bx lr
