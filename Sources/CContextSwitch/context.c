// The C half of the switch: what the sanitizers must be told, and the first frame of a new stack.
//
// A sanitizer has to learn of the switch in the very function that makes it, and that function must not be
// instrumented itself: its own entry and exit would be counted on two different stacks.
#define _GNU_SOURCE
#include "CContextSwitch.h"

#include <pthread.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GT_TSAN 1
#endif
#if __has_feature(address_sanitizer)
#define GT_ASAN 1
#endif
#endif

void gt_raw_switch(gt_context *from, gt_context *to);
void gt_raw_switch_jump(gt_context *from, gt_context *to);

#define UNINSTRUMENTED __attribute__((disable_sanitizer_instrumentation, noinline))

#if GT_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif
#if GT_ASAN
void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old, size_t *size_old);
void __asan_unpoison_memory_region(void const volatile *address, size_t size);
#endif

#if GT_TSAN
const int gt_sanitizer_word = 1;
#elif GT_ASAN
const int gt_sanitizer_word = 2;
#else
const int gt_sanitizer_word = 0;
#endif

UNINSTRUMENTED void gt_switch(gt_context *from, gt_context *to) {
#if GT_TSAN
  __tsan_switch_to_fiber(to->tsan_fiber, 0);
#elif GT_ASAN
  __sanitizer_start_switch_fiber(&from->asan_fake, to->bottom, to->size);
#endif
  gt_raw_switch(from, to);
#if GT_ASAN
  __sanitizer_finish_switch_fiber(from->asan_fake, NULL, NULL);
#endif
}

UNINSTRUMENTED void gt_switch_jump(gt_context *from, gt_context *to) {
#if GT_TSAN
  __tsan_switch_to_fiber(to->tsan_fiber, 0);
#elif GT_ASAN
  __sanitizer_start_switch_fiber(&from->asan_fake, to->bottom, to->size);
#endif
  gt_raw_switch_jump(from, to);
#if GT_ASAN
  __sanitizer_finish_switch_fiber(from->asan_fake, NULL, NULL);
#endif
}

// Called by gt_raw_entry: runs a context from its beginning to its end, and returns the one to go on with.
UNINSTRUMENTED gt_context *gt_context_run(void *argument, gt_entry entry) {
#if GT_ASAN
  __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
  gt_context *to = entry(argument);
#if GT_TSAN
  __tsan_switch_to_fiber(to->tsan_fiber, 0);
#elif GT_ASAN
  // A null place to save to frees the fake stack.
  __sanitizer_start_switch_fiber(NULL, to->bottom, to->size);
#endif
  return to;
}

void gt_context_announce(gt_context *context, void *bottom, void *top) {
#if GT_ASAN
  // Frames of a previous owner that were left by a jump never cleaned up their red zones.
  __asan_unpoison_memory_region(bottom, (size_t)((char *)top - (char *)bottom));
#endif
  context->bottom = bottom;
  context->size = (size_t)((char *)top - (char *)bottom);
#if GT_TSAN
  context->tsan_fiber = __tsan_create_fiber(0);
#endif
}

// The thread sanitizer crashes when a fiber is destroyed before its first event (llvm/llvm-project#171766). The switch
// there and back is such an event; it orders nothing, for nothing ran there.
void gt_context_abandon(gt_context *context) {
#if GT_TSAN
  void *current = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(context->tsan_fiber, 0);
  __tsan_switch_to_fiber(current, 0);
#endif
  (void)context;
}

void gt_context_retire(gt_context *context) {
#if GT_TSAN
  __tsan_destroy_fiber(context->tsan_fiber);
#endif
  (void)context;
}

void gt_context_adopt_thread(gt_context *context) {
  memset(context, 0, sizeof *context);
#if GT_TSAN
  context->tsan_fiber = __tsan_get_current_fiber();
#endif
#if GT_ASAN
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    pthread_attr_getstack(&attributes, &context->bottom, &context->size);
    pthread_attr_destroy(&attributes);
  }
#endif
}

// Valgrind's client requests: an instruction sequence without effect that valgrind recognises and other processors
// execute as no-operations, so that no header or library of valgrind's is needed.
static unsigned long valgrind_request(unsigned long request, unsigned long a, unsigned long b) {
  volatile unsigned long arguments[6] = {request, a, b, 0, 0, 0};
#if defined(__x86_64__)
  unsigned long result = 0;
  __asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\txchgq %%rbx, %%rbx"
                   : "+d"(result)
                   : "a"(&arguments[0])
                   : "cc", "memory");
  return result;
#else
  register unsigned long result __asm__("x3") = 0;
  register volatile unsigned long *address __asm__("x4") = arguments;
  __asm__ volatile("ror x12, x12, #3\n\tror x12, x12, #13\n\tror x12, x12, #51\n\tror x12, x12, #61\n\t"
                   "orr x10, x10, x10"
                   : "+r"(result)
                   : "r"(address)
                   : "cc", "memory");
  return result;
#endif
}

int gt_running_on_valgrind(void) { return (int)valgrind_request(0x1001, 0, 0); }

unsigned long gt_valgrind_register_stack(const void *bottom, const void *top) {
  return valgrind_request(0x1501, (unsigned long)bottom, (unsigned long)top - 1);
}

void gt_valgrind_deregister_stack(unsigned long id) { valgrind_request(0x1502, id, 0); }
