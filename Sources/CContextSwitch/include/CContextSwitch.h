// Stackful contexts for x86-64 and aarch64: the switch, the first frame of a new stack, guard pages, and the fault
// handler that recognises an overflowed stack. C and assembly only: nothing here knows how units are scheduled.
#ifndef CCONTEXTSWITCH_H
#define CCONTEXTSWITCH_H

#include <stddef.h>
#include <stdint.h>

#if !defined(__linux__) || !(defined(__x86_64__) || defined(__aarch64__))
#error "CContextSwitch supports Linux on x86-64 and aarch64 only."
#endif

// A suspended flow of control. `sp` must stay first: the assembly stores it through the context's own address. The
// other fields serve the sanitizers and cost nothing without them.
typedef struct gt_context {
  void *sp;
  void *bottom;     // lowest usable byte of the stack
  size_t size;      // usable bytes above it
  void *tsan_fiber; // ThreadSanitizer's shadow of this flow of control
  void *asan_fake;  // AddressSanitizer's fake stack while suspended
} gt_context;

// What the fault handler says about a stack's owner; it is the first field of whatever sits at a stack's top.
typedef struct gt_label {
  uint64_t id;
  const char *name; // static storage, or NULL
} gt_label;
// A copy, read while its owner may be writing it: for reports only.
gt_label gt_label_peek(const gt_label *label);

// Saves the callee-saved registers on the present stack, its pointer in `from`, and continues `to`. Returns when
// somebody switches back to `from`. The first ends in `ret`, which is fastest where switches come from one call site
// (the return predictor pairs them); the second ends in an indirect jump, which is fastest for mixed call chains.
void gt_switch(gt_context *from, gt_context *to);
void gt_switch_jump(gt_context *from, gt_context *to);

// 1 under ThreadSanitizer, 2 under AddressSanitizer, 0 otherwise.
extern const int gt_sanitizer_word;
static inline __attribute__((always_inline)) int gt_sanitizer(void) { return gt_sanitizer_word; }

// What a context runs, with its argument. Returns the context to go on with, at the latest moment: the returning
// context will not be resumed, and its stack may be reused as soon as the other one runs.
typedef gt_context *(*gt_entry)(void *);
void gt_raw_entry(void);

// Prepares `context` so that the first switch to it calls entry(argument) on the stack beneath `top`, which is aligned
// to 16 bytes. Backtraces end at this frame. Under a sanitizer `gt_context_announce` comes first.
static inline __attribute__((always_inline)) void gt_context_make(
    gt_context *context, void *top, gt_entry entry, void *argument) {
  void **frame = (void **)top;
#if defined(__x86_64__)
  // From low to high: r15 r14 r13 r12 rbx rbp, then the address to go to. After its `ret` the stack pointer is 16 below
  // the top, a multiple of 16, as it is before any call.
  frame -= 9;
  frame[3] = argument;              // r12
  frame[4] = (void *)entry;         // rbx
  frame[5] = NULL;                  // rbp
  frame[6] = (void *)gt_raw_entry;
  frame[7] = NULL;
  frame[8] = NULL;
#else
  frame -= 160 / sizeof(void *);
  frame[0] = (void *)entry;         // x19
  frame[1] = argument;              // x20
  frame[10] = NULL;                 // x29
  frame[11] = (void *)gt_raw_entry; // x30
#endif
  context->sp = frame;
}
// Tells a sanitizer of a context that is about to be made on [bottom, top), and that it has made its last switch.
void gt_context_announce(gt_context *context, void *bottom, void *top);
void gt_context_retire(gt_context *context);
// To be called before gt_context_retire for a context that never ran.
void gt_context_abandon(gt_context *context);
// Describes the calling thread's own stack, so that units can be switched to from it.
void gt_context_adopt_thread(gt_context *context);

// Tells valgrind, where the process runs under it, that [bottom, top) is a stack of its own.
unsigned long gt_valgrind_register_stack(const void *bottom, const void *top);
void gt_valgrind_deregister_stack(unsigned long id);
int gt_running_on_valgrind(void);

static inline __attribute__((always_inline)) uintptr_t gt_stack_pointer(void) {
  uintptr_t sp;
#if defined(__x86_64__)
  __asm__ volatile("movq %%rsp, %0" : "=r"(sp));
#else
  __asm__ volatile("mov %0, sp" : "=r"(sp));
#endif
  return sp;
}

static inline __attribute__((always_inline)) void gt_pause(void) {
#if defined(__x86_64__)
  __asm__ volatile("pause");
#else
  __asm__ volatile("isb");
#endif
}

// Brings an owner's block, and the frames that its context left beneath it, closer to the processor. `owner` may be 0
// or one that ended since.
static inline __attribute__((always_inline)) void gt_prefetch_block(uintptr_t owner) {
  __builtin_prefetch((const char *)owner, 1);
  __builtin_prefetch((const char *)owner + 64, 1);
}
static inline __attribute__((always_inline)) void gt_prefetch_frames(uintptr_t owner) {
  if (owner == 0) return;
  const char *sp = (const char *)((const gt_context *)((const gt_label *)owner + 1))->sp;
  __builtin_prefetch(sp, 1);
  __builtin_prefetch(sp + 64, 1);
  __builtin_prefetch(sp + 128, 1);
}
// The block of a stack about to be used anew, and the line beneath it, where the first frame goes.
static inline __attribute__((always_inline)) void gt_prefetch_fresh(uintptr_t owner) {
  __builtin_prefetch((const char *)owner - 64, 1);
  __builtin_prefetch((const char *)owner, 1);
  __builtin_prefetch((const char *)owner + 64, 1);
  __builtin_prefetch((const char *)owner + 128, 1);
}

// The region from which all stacks of the process are cut. Its lower half holds small stacks and its upper half large
// ones, each at a multiple of its stride, so that a stack pointer alone tells which stack it is on.
// Written once, before there is any stack. Relaxed: who runs on a stack of the region was started after that, and who
// does not may see either value.
extern uintptr_t gt_region_base_word, gt_region_size_word; // the latter 0 until reserved
static inline __attribute__((always_inline)) uintptr_t gt_region_base(void) {
  return __atomic_load_n(&gt_region_base_word, __ATOMIC_RELAXED);
}
static inline __attribute__((always_inline)) uintptr_t gt_region_size(void) {
  return __atomic_load_n(&gt_region_size_word, __ATOMIC_RELAXED);
}

enum {
  gt_small_stride = 128 * 1024,
  gt_large_stride = 512 * 1024,
  // A stack's owner lies this far below the stack's top (before colouring).
  gt_owner_offset = 384,
};

// Reserves address space once for the process: the largest of size, size/4, ... that the system grants. 0 or -errno.
int gt_region_reserve(uintptr_t size, uintptr_t least);
// Consecutive cache colours: the owner of stack n lies (n % gt_colours) * gt_colour_bytes below where the first lies.
// All stacks are equally aligned, so without it every owner would compete for the same few cache sets.
// A power of two, because every look for the current unit computes it.
enum { gt_colours = 16, gt_colour_bytes = 128 };

enum gt_guard { gt_guard_installed = 0, gt_guard_mprotect = 1, gt_guard_canary = 2 };
// Makes `count` stacks at `first` usable, each with `guard` inaccessible bytes at its low end. Returns the kind of
// guard that all of them got, or -errno when the memory itself cannot be had. `best` is the kind to try first.
int gt_stacks_commit(void *first, size_t count, size_t stride, size_t guard, int best);
// Gives the memory of a range of stacks back to the system; guards stay.
void gt_stacks_trim(void *first, size_t bytes);

// Installs the handler that names the unit whose stack overflowed, and gives the calling thread an alternate signal
// stack. Returns NULL when there is no memory. Handlers nest: the last release restores what was there before.
void *gt_fault_stack_enter(void);
void gt_fault_stack_leave(void *token);
void gt_fault_handler_retain(void);
void gt_fault_handler_release(void);

// The Swift runtime keeps the set of exclusive accesses in progress in thread-local storage. A unit that may resume on
// another thread has to take its own with it. Two words of state; exported by libswiftCore for the task allocator.
void swift_task_enterThreadLocalContext(char *state);
void swift_task_exitThreadLocalContext(char *state);

static inline __attribute__((always_inline)) void gt_accesses_leave(uintptr_t *state) {
  swift_task_exitThreadLocalContext((char *)state);
}
// Nothing to bring back is the common case: the thread's own set is empty after every leave.
static inline __attribute__((always_inline)) void gt_accesses_return(uintptr_t *state) {
  if (__builtin_expect((state[0] | state[1]) != 0, 0)) swift_task_enterThreadLocalContext((char *)state);
}

#endif
