// The context switch for x86-64 (System V ABI). Only the callee-saved general registers travel: the ABI makes the
// compiler assume that every other register is lost in a call, and MXCSR and the x87 control word are process-wide
// settings in practice. 2.6 ns, of which most is the store-to-load forwarding of the six registers.
#if defined(__x86_64__)
  .text

  // Continues the context whose saved registers rsp points to. One that has not begun is jumped to: a `ret` would take
  // an address from the return predictor that another one's `ret` will need.
  .macro RESUME
  popq %r15
  .cfi_adjust_cfa_offset -8
  popq %r14
  .cfi_adjust_cfa_offset -8
  popq %r13
  .cfi_adjust_cfa_offset -8
  popq %r12
  .cfi_adjust_cfa_offset -8
  popq %rbx
  .cfi_adjust_cfa_offset -8
  popq %rbp
  .cfi_adjust_cfa_offset -8
  leaq gt_raw_entry(%rip), %rcx
  cmpq %rcx, (%rsp)
  je 1f
  ret
1:
  addq $8, %rsp
  jmp gt_raw_entry
  .endm

  .globl gt_raw_switch
  .type gt_raw_switch, @function
  .p2align 4
gt_raw_switch:
  .cfi_startproc
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  pushq %r12
  .cfi_adjust_cfa_offset 8
  pushq %r13
  .cfi_adjust_cfa_offset 8
  pushq %r14
  .cfi_adjust_cfa_offset 8
  pushq %r15
  .cfi_adjust_cfa_offset 8
  movq %rsp, (%rdi)
  movq (%rsi), %rsp
  RESUME
  .cfi_endproc
  .size gt_raw_switch, .-gt_raw_switch

  // The same, leaving by an indirect jump: the return predictor's stack describes the old flow of control, so a `ret`
  // mispredicts whenever the two sides were suspended in different call chains.
  .globl gt_raw_switch_jump
  .type gt_raw_switch_jump, @function
  .p2align 4
gt_raw_switch_jump:
  .cfi_startproc
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  pushq %r12
  .cfi_adjust_cfa_offset 8
  pushq %r13
  .cfi_adjust_cfa_offset 8
  pushq %r14
  .cfi_adjust_cfa_offset 8
  pushq %r15
  .cfi_adjust_cfa_offset 8
  movq %rsp, (%rdi)
  movq (%rsi), %rsp
  popq %r15
  .cfi_adjust_cfa_offset -8
  popq %r14
  .cfi_adjust_cfa_offset -8
  popq %r13
  .cfi_adjust_cfa_offset -8
  popq %r12
  .cfi_adjust_cfa_offset -8
  popq %rbx
  .cfi_adjust_cfa_offset -8
  popq %rbp
  .cfi_adjust_cfa_offset -8
  popq %rcx
  .cfi_adjust_cfa_offset -8
  .cfi_register %rip, %rcx
  jmpq *%rcx
  .cfi_endproc
  .size gt_raw_switch_jump, .-gt_raw_switch_jump

  // Where a new stack begins, and where it ends. gt_context_make left the entry point in rbx and its argument in r12, and
  // 0 in rbp; the undefined return address tells unwinders and debuggers that there is no caller. What comes back is the
  // context to go on with. All calls on this stack have returned by then, so the return predictor stands where it stood
  // when the stack was entered: the context that started this one and waits for it finds its own returns predicted.
  .globl gt_raw_entry
  .type gt_raw_entry, @function
  .p2align 4
gt_raw_entry:
  .cfi_startproc
  .cfi_undefined %rip
  movq %r12, %rdi
  movq %rbx, %rsi
  callq gt_context_run
  movq (%rax), %rsp
  RESUME
  .cfi_endproc
  .size gt_raw_entry, .-gt_raw_entry
#endif

// Outside the condition: an object without this note makes the whole program's stack executable.
  .section .note.GNU-stack, "", %progbits
