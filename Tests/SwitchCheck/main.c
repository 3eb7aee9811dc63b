// Whether the context switch keeps what the ABI says a call keeps: a program for scripts/check-switch, which builds it
// for each architecture and runs the foreign one under qemu.
//
// Several contexts resume each other in a seeded random order. Before each switch a context fills all callee-saved
// registers (registers_*.S) with values of its own and of this switch; after it they must hold just these.
#include "CContextSwitch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// For what context.c calls: none of it is used here.
void swift_task_enterThreadLocalContext(char *state) { (void)state; }
void swift_task_exitThreadLocalContext(char *state) { (void)state; }

// Loads the callee-saved registers from `wanted`, calls `swap(from, to)`, and stores them to `found`.
void check_registers(const uint64_t *wanted, uint64_t *found, void (*swap)(gt_context *, gt_context *),
                     gt_context *from, gt_context *to);
extern const uint64_t check_register_count;

enum { contexts = 8, switches = 20000, most_registers = 32, stack_bytes = 64 * 1024 };

static gt_context home, units[contexts];
static _Alignas(16) char stacks[contexts][stack_bytes];
static int visits[contexts];
static uint64_t seed;
static int done, failed;

static uint64_t next_random(void) {
  uint64_t z = seed += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static void swap_checked(gt_context *from, gt_context *to) {
  uint64_t wanted[most_registers], found[most_registers];
  for (uint64_t i = 0; i < check_register_count; i++) wanted[i] = next_random();
  memset(found, 0, sizeof found);
  // Both forms: which of them a context was left by does not matter to who resumes it.
  check_registers(wanted, found, next_random() & 1 ? gt_switch : gt_switch_jump, from, to);
  for (uint64_t i = 0; i < check_register_count; i++) {
    if (wanted[i] != found[i]) {
      fprintf(stderr, "register %d of %d: %016llx, expected %016llx\n", (int)i, (int)check_register_count,
              (unsigned long long)found[i], (unsigned long long)wanted[i]);
      failed = 1;
    }
  }
}

static gt_context *run(void *argument) {
  int self = (int)(uintptr_t)argument;
  // A stack that is not aligned as the ABI says shows here: the compiler may use aligned vector stores.
  volatile _Alignas(16) char aligned[16];
  if ((uintptr_t)aligned % 16 != 0) {
    fprintf(stderr, "the stack of context %d is not aligned to 16 bytes\n", self);
    failed = 1;
  }
  while (done < switches && !failed) {
    done++;
    visits[self]++;
    int other = (int)(next_random() % contexts);
    if (other != self) swap_checked(&units[self], &units[other]);
  }
  return &home;
}

int main(int count, char **arguments) {
  seed = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
  gt_context_adopt_thread(&home);
  for (int i = 0; i < contexts; i++)
    gt_context_make(&units[i], stacks[i] + stack_bytes, run, (void *)(uintptr_t)i);
  swap_checked(&home, &units[0]);
  for (int i = 0; i < contexts; i++) {
    if (visits[i] > 0) continue;
    fprintf(stderr, "context %d never ran\n", i);
    failed = 1;
  }
  if (check_register_count < 5) failed = 1;
  return failed;
}
