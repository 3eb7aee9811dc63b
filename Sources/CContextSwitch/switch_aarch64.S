// The context switch for aarch64 (AAPCS64): x19-x30 and the low halves of v8-v15 are callee-saved, nothing else is.
// x18 is left alone: on Linux it is an ordinary scratch register or the shadow call stack, never ours.
#if defined(__aarch64__)
  .text

#define SAVED 160

  .macro SWITCH name
  .globl \name
  .type \name, %function
  .p2align 4
\name:
  .cfi_startproc
  bti c
  sub sp, sp, #SAVED
  .cfi_adjust_cfa_offset SAVED
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  .cfi_rel_offset x29, 80
  .cfi_rel_offset x30, 88
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  ldr x9, [x1]
  mov sp, x9
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #SAVED
  .cfi_adjust_cfa_offset -SAVED
  .cfi_restore x29
  .cfi_restore x30
  .endm

  // Continues the context whose registers were restored. One that has not begun is branched to: a `ret` would take an
  // address from the return predictor that another one's `ret` will need.
  .macro RESUME
  adr x9, gt_raw_entry
  cmp x30, x9
  b.eq gt_raw_entry
  ret
  .endm

  SWITCH gt_raw_switch
  RESUME
  .cfi_endproc
  .size gt_raw_switch, .-gt_raw_switch

  // The same, leaving by an indirect jump: `ret` consults the return predictor, whose stack describes the old flow of
  // control. x16 is the register that branch-target identification lets jump to any landing pad.
  SWITCH gt_raw_switch_jump
  mov x16, x30
  br x16
  .cfi_endproc
  .size gt_raw_switch_jump, .-gt_raw_switch_jump

  // Where a new stack begins, and where it ends. gt_context_make left the entry point in x19, its argument in x20, and 0
  // in x29; the undefined return address tells unwinders and debuggers that there is no caller. What comes back is the
  // context to go on with. All calls on this stack have returned by then, so the return predictor stands where it stood
  // when the stack was entered: the context that started this one and waits for it finds its own returns predicted.
  .globl gt_raw_entry
  .type gt_raw_entry, %function
  .p2align 4
gt_raw_entry:
  .cfi_startproc
  .cfi_undefined x30
  bti jc
  mov x0, x20
  mov x1, x19
  mov x30, xzr
  bl gt_context_run
  ldr x9, [x0]
  mov sp, x9
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #SAVED
  RESUME
  .cfi_endproc
  .size gt_raw_entry, .-gt_raw_entry
#endif

// Outside the condition: an object without this note makes the whole program's stack executable.
  .section .note.GNU-stack, "", %progbits
