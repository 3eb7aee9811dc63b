// Address space for stacks, and their guards.
//
// One reservation serves the process, so that a million stacks are a handful of mappings: the kernel allows 65,530 by
// default, and a mapping for each stack, or an mprotect'ed guard in each, ends at half that. MADV_GUARD_INSTALL (Linux
// 6.13) marks guard pages in the page tables alone and splits nothing. Older kernels get mprotect'ed guards while the
// mappings last; beyond them the caller checks a canary when a stack is handed back.
#define _GNU_SOURCE
#include "CContextSwitch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

uintptr_t gt_region_base_word, gt_region_size_word;

int gt_region_reserve(uintptr_t size, uintptr_t least) {
  const uintptr_t large_stride = gt_large_stride;
  if (gt_region_size()) return 0;
  int error = ENOMEM;
  for (; size >= least; size /= 4) {
    // Not accessible, hence not counted by the strictest overcommit policy either.
    char *base = mmap(NULL, size + large_stride, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
      error = errno;
      continue;
    }
    uintptr_t aligned = ((uintptr_t)base + large_stride - 1) & ~(large_stride - 1);
    // A huge page for each touched stack top would cost 2 MiB in place of 4 KiB.
    madvise((void *)aligned, size, MADV_NOHUGEPAGE);
    __atomic_store_n(&gt_region_base_word, aligned, __ATOMIC_RELAXED);
    __atomic_store_n(&gt_region_size_word, size, __ATOMIC_RELAXED);
    return 0;
  }
  return -error;
}

// One call guards up to 1024 stacks where the kernel can (process_madvise on oneself, 6.13).
static int install_guards(char *first, size_t count, size_t stride, size_t guard) {
  if (madvise(first, guard, MADV_GUARD_INSTALL) < 0) return -1;
  size_t done = 1;
#if defined(SYS_process_madvise) && defined(SYS_pidfd_open)
  if (count > 2) {
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (self >= 0) {
      struct iovec ranges[256];
      while (done < count) {
        size_t n = count - done < 256 ? count - done : 256;
        for (size_t i = 0; i < n; i++) ranges[i] = (struct iovec){first + (done + i) * stride, guard};
        ssize_t bytes = syscall(SYS_process_madvise, self, ranges, n, MADV_GUARD_INSTALL, 0);
        if (bytes < (ssize_t)guard) break;
        done += (size_t)bytes / guard;
      }
      close(self);
    }
  }
#endif
  for (; done < count; done++)
    if (madvise(first + done * stride, guard, MADV_GUARD_INSTALL) < 0) return -1;
  return 0;
}

int gt_stacks_commit(void *first, size_t count, size_t stride, size_t guard, int best) {
  char *base = first;
  if (mprotect(base, count * stride, PROT_READ | PROT_WRITE) < 0) return -errno;
  if (best == gt_guard_installed && install_guards(base, count, stride, guard) == 0) return gt_guard_installed;
  if (best <= gt_guard_mprotect) {
    size_t done = 0;
    while (done < count && mprotect(base + done * stride, guard, PROT_NONE) == 0) done++;
    if (done == count) return gt_guard_mprotect;
    // Out of mappings. Undo, which merges them again, so that the rest of the process still gets some.
    mprotect(base, count * stride, PROT_READ | PROT_WRITE);
  }
  return gt_guard_canary;
}

void gt_stacks_trim(void *first, size_t bytes) { madvise(first, bytes, MADV_DONTNEED); }

// ---- the fault handler -------------------------------------------------------------------------------------------

static struct sigaction previous_segv, previous_bus;
static int handler_users;

static void say(const char *text) {
  size_t length = strlen(text);
  while (length > 0) {
    ssize_t n = write(STDERR_FILENO, text, length);
    if (n <= 0) return;
    text += n;
    length -= (size_t)n;
  }
}

static void say_number(uint64_t value) {
  char digits[24], *at = digits + sizeof digits - 1;
  *at = 0;
  do *--at = (char)('0' + value % 10); while ((value /= 10) != 0);
  say(at);
}

// Async-signal-safe: reads memory that is mapped whenever the address lies in the region, and writes to stderr.
static void on_fault(int signal, siginfo_t *info, void *context) {
  uintptr_t offset = (uintptr_t)info->si_addr - gt_region_base();
  if (info->si_addr != NULL && offset < gt_region_size()) {
    uintptr_t stride = offset < gt_region_size() / 2 ? gt_small_stride : gt_large_stride;
    uintptr_t index = offset / stride;
    const gt_label *owner = (const gt_label *)(gt_region_base() + (index + 1) * stride - gt_owner_offset -
                                               (index % gt_colours) * gt_colour_bytes);
    say("fatal: unit ");
    say_number(owner->id);
    if (owner->name) {
      say(" '");
      say(owner->name);
      say("'");
    }
    say(" overflowed its stack of ");
    say_number(stride == gt_small_stride ? 64 : 256);
    say(stride == gt_small_stride ? " KiB; spawn it with stack: .large, or recurse less\n"
                                  : " KiB; recurse less, or keep large values on the heap\n");
  }
  // Back to whoever was there before: the faulting instruction runs again and meets that disposition.
  sigaction(signal, signal == SIGSEGV ? &previous_segv : &previous_bus, NULL);
  (void)context;
}

// The caller serialises these two.
void gt_fault_handler_retain(void) {
  if (handler_users++ > 0) return;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, &previous_segv);
  sigaction(SIGBUS, &action, &previous_bus);
}

void gt_fault_handler_release(void) {
  if (--handler_users > 0) return;
  sigaction(SIGSEGV, &previous_segv, NULL);
  sigaction(SIGBUS, &previous_bus, NULL);
}

enum { fault_stack_bytes = 64 * 1024 };

typedef struct fault_stack {
  stack_t previous;
  char bytes[fault_stack_bytes];
} fault_stack;

void *gt_fault_stack_enter(void) {
  fault_stack *own = malloc(sizeof *own);
  if (!own) return NULL;
  stack_t stack = {.ss_sp = own->bytes, .ss_size = fault_stack_bytes};
  if (sigaltstack(&stack, &own->previous) < 0) {
    free(own);
    return NULL;
  }
  return own;
}

void gt_fault_stack_leave(void *token) {
  if (!token) return;
  fault_stack *own = token;
  sigaltstack(&own->previous, NULL);
  free(own);
}

__attribute__((disable_sanitizer_instrumentation)) gt_label gt_label_peek(const gt_label *label) {
  const volatile gt_label *moving = label;
  return (gt_label){.id = moving->id, .name = moving->name};
}
