// check_registers for x86-64: rbx, rbp, r12-r15.
  .text
  .globl check_registers
  .type check_registers, @function
check_registers:
  pushq %rbx
  pushq %rbp
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  pushq %rsi            // found; and the stack is aligned for the call
  movq %rdx, %rax
  movq (%rdi), %rbx
  movq 8(%rdi), %rbp
  movq 16(%rdi), %r12
  movq 24(%rdi), %r13
  movq 32(%rdi), %r14
  movq 40(%rdi), %r15
  movq %rcx, %rdi
  movq %r8, %rsi
  callq *%rax
  popq %rsi
  movq %rbx, (%rsi)
  movq %rbp, 8(%rsi)
  movq %r12, 16(%rsi)
  movq %r13, 24(%rsi)
  movq %r14, 32(%rsi)
  movq %r15, 40(%rsi)
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbp
  popq %rbx
  ret
  .size check_registers, .-check_registers

  .section .rodata
  .globl check_register_count
  .p2align 3
check_register_count:
  .quad 6
  .section .note.GNU-stack, "", %progbits
