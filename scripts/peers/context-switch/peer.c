// Our context switch alone (Sources/CContextSwitch), without the scheduler. Two flows of control resume each other.
// Row `switch`: both run the same loop, as units that yield do; our form that ends in `ret` is in use there. Row
// `switch-mixed`: each is suspended elsewhere, as units that park in different places are; there the form that jumps.
#include "CContextSwitch.h"
#include "measure.h"

static gt_context origin, other;
static uint64_t arrivals;

// The loop that both flows run, so that each return address on one stack stands on the other as well.
__attribute__((noinline)) static void bounce(gt_context *from, gt_context *to, uint64_t times) {
  for (uint64_t i = 0; i < times; i++) {
    gt_switch(from, to);
    arrivals++;
  }
}

static gt_context *run_bounce(void *argument) {
  (void)argument;
  bounce(&other, &origin, UINT64_MAX);
  return &origin;
}

static gt_context *run_mixed(void *argument) {
  (void)argument;
  for (;;) {
    gt_switch_jump(&other, &origin);
    arrivals++;
  }
}

static void make_other(gt_entry run) {
  size_t size = 65536;
  char *stack = aligned_alloc(size, size);
  if (!stack) fail("no memory for a stack of %zu bytes", size);
  gt_context_adopt_thread(&origin);
  gt_context_make(&other, stack + size, run, NULL);
}

static void switch_row(void) {
  uint64_t pairs = scaled(60000000), warm = pairs / 10 + 1;
  make_other(run_bounce);
  bounce(&origin, &other, warm);
  arrivals = 0;
  clock_start();
  bounce(&origin, &other, pairs);
  clock_stop();
  expect(arrivals, pairs * 2, "arrivals");
  report(pairs * 2, NULL);
}

static void switch_mixed(void) {
  uint64_t pairs = scaled(60000000), warm = pairs / 10 + 1;
  make_other(run_mixed);
  for (uint64_t i = 0; i < warm; i++) gt_switch_jump(&origin, &other);
  arrivals = 0;
  clock_start();
  for (uint64_t i = 0; i < pairs; i++) {
    gt_switch_jump(&origin, &other);
    arrivals++;
  }
  clock_stop();
  expect(arrivals, pairs * 2, "arrivals");
  report(pairs * 2, NULL);
}

int main(int argc, char **argv) {
  static const struct peer_row rows[] = {{"switch", switch_row}, {"switch-mixed", switch_mixed}};
  return peer_main(argc, argv, "green-threads", rows, sizeof rows / sizeof *rows);
}
