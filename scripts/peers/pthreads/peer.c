// Kernel threads (glibc's pthreads), 64 KiB stacks. What a unit costs when the system schedules it. `sched_yield` only
// offers the processor: the system may decline. Rows of 100,000 units or more cannot be had: each thread takes two of
// the process's 65,530 mappings, so the memory per parked unit is measured between 1,000 and 10,000.
#include "measure.h"
#include "sockets.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static pthread_attr_t attributes;

static pthread_t spawn(void *(*run)(void *), void *argument) {
  static int ready;
  pthread_t thread;
  if (!ready) {
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    ready = 1;
  }
  int error = pthread_create(&thread, &attributes, run, argument);
  if (error != 0) fail("pthread_create: %s", strerror(error));
  return thread;
}

static void join(pthread_t thread) {
  if (pthread_join(thread, NULL) != 0) fail("pthread_join failed");
}

static uint64_t units, rounds;
static _Atomic uint64_t started, finished, counted;

static void *yield_unit(void *argument) {
  (void)argument;
  if (atomic_fetch_add(&started, 1) + 1 == units) clock_start();
  while (atomic_load(&started) < units) sched_yield();
  for (uint64_t i = 0; i < rounds; i++) sched_yield();
  counted += rounds;
  if (atomic_fetch_add(&finished, 1) + 1 == units) clock_stop();
  return NULL;
}

static void yield_among(uint64_t count) {
  units = count;
  rounds = scaled(500000) / count;
  if (rounds == 0) rounds = 1;
  pthread_t *threads = calloc(count, sizeof *threads);
  for (uint64_t i = 0; i < count; i++) threads[i] = spawn(yield_unit, NULL);
  for (uint64_t i = 0; i < count; i++) join(threads[i]);
  expect(counted, units * rounds, "yields");
  report(counted, NULL);
}

static void yield_2(void) { yield_among(2); }
static void yield_1k(void) { yield_among(1000); }

static void *count_unit(void *argument) {
  (void)argument;
  counted++;
  return NULL;
}

static void spawn_join(void) {
  uint64_t count = scaled(20000), warm = count / 10 + 1;
  for (uint64_t i = 0; i < warm; i++) join(spawn(count_unit, NULL));
  clock_start();
  for (uint64_t i = 0; i < count; i++) join(spawn(count_unit, NULL));
  clock_stop();
  expect(counted, warm + count, "threads run");
  report(count, NULL);
}

static void spawn_join_batch(void) {
  enum { batch = 1000 };
  uint64_t batches = scaled(20), warm = batches / 10 + 1;
  pthread_t threads[batch];
  for (uint64_t i = 0; i < warm + batches; i++) {
    if (i == warm) clock_start();
    for (int j = 0; j < batch; j++) threads[j] = spawn(count_unit, NULL);
    for (int j = 0; j < batch; j++) join(threads[j]);
  }
  clock_stop();
  expect(counted, (warm + batches) * batch, "threads run");
  report(batches * batch, NULL);
}

// A channel of capacity 1.
struct slot {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  uint64_t value;
  int full, closed;
};

static struct slot out = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0};
static struct slot back = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0};

static void put(struct slot *slot, uint64_t value) {
  pthread_mutex_lock(&slot->lock);
  while (slot->full) pthread_cond_wait(&slot->changed, &slot->lock);
  slot->value = value;
  slot->full = 1;
  pthread_mutex_unlock(&slot->lock);
  pthread_cond_signal(&slot->changed);
}

static int take(struct slot *slot, uint64_t *value) {
  pthread_mutex_lock(&slot->lock);
  while (!slot->full && !slot->closed) pthread_cond_wait(&slot->changed, &slot->lock);
  int full = slot->full;
  *value = slot->value;
  slot->full = 0;
  pthread_mutex_unlock(&slot->lock);
  pthread_cond_signal(&slot->changed);
  return full;
}

static void *echo_values(void *argument) {
  (void)argument;
  uint64_t value;
  while (take(&out, &value)) put(&back, value + 1);
  return NULL;
}

static void channel(void) {
  uint64_t trips = scaled(100000), warm = trips / 10 + 1, value = 0, sum = 0;
  pthread_t echo = spawn(echo_values, NULL);
  for (uint64_t i = 0; i < warm + trips; i++) {
    if (i == warm) clock_start();
    put(&out, i);
    take(&back, &value);
    sum += value - i;
  }
  clock_stop();
  pthread_mutex_lock(&out.lock);
  out.closed = 1;
  pthread_mutex_unlock(&out.lock);
  pthread_cond_signal(&out.changed);
  join(echo);
  expect(sum, warm + trips, "replies");
  report(trips, NULL);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t acquisitions, handovers, owner;  // guarded by the mutex

static void *contend(void *argument) {
  uint64_t self = (uint64_t)(uintptr_t)argument;
  if (atomic_fetch_add(&started, 1) == 0) clock_start();
  for (uint64_t i = 0; i < rounds; i++) {
    pthread_mutex_lock(&mutex);
    acquisitions++;
    handovers += owner != self;
    owner = self;
    sched_yield();
    pthread_mutex_unlock(&mutex);
    sched_yield();
  }
  if (atomic_fetch_add(&finished, 1) == 1) clock_stop();
  return NULL;
}

static void mutex_row(void) {
  rounds = scaled(100000) / 2 + 1;
  pthread_t first = spawn(contend, (void *)1), second = spawn(contend, (void *)2);
  join(first);
  join(second);
  expect(acquisitions, rounds * 2, "acquisitions");
  report_handovers(handovers, acquisitions);
}

static void nap(void) {
  struct timespec millisecond = {0, 1000000};
  if (clock_nanosleep(CLOCK_MONOTONIC, 0, &millisecond, NULL) != 0) fail("clock_nanosleep failed");
}

static void sleep_overshoot(void) {
  uint64_t count = scaled(1000), *late = calloc(count, sizeof *late);
  clock_start();
  for (uint64_t i = 0; i < count; i++) {
    uint64_t begun = now_ns();
    nap();
    late[i] = slept(begun, 1000000);
  }
  clock_stop();
  report_overshoot(late, count);
}

static void *sleep_unit(void *argument) {
  (void)argument;
  for (uint64_t i = 0; i < rounds; i++) nap();
  counted += rounds;
  return NULL;
}

static void timer_sleep(void) {
  enum { sleepers = 1000 };
  rounds = scaled(300);
  pthread_t threads[sleepers];
  clock_start();
  for (int i = 0; i < sleepers; i++) threads[i] = spawn(sleep_unit, NULL);
  for (int i = 0; i < sleepers; i++) join(threads[i]);
  clock_stop();
  expect(counted, sleepers * rounds, "sleeps");
  report(counted, NULL);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_opened = PTHREAD_COND_INITIALIZER;
static int gate_open;

static void *park_unit(void *argument) {
  (void)argument;
  pthread_mutex_lock(&gate);
  started++;
  while (!gate_open) pthread_cond_wait(&gate_opened, &gate);
  counted++;
  pthread_mutex_unlock(&gate);
  return NULL;
}

static void parked(void) {
  uint64_t many = scaled(10000) < 10 ? 10 : scaled(10000), few = many / 10, created = 0;
  pthread_t *threads = malloc(many * sizeof *threads);
  struct parked_memory at[2];
  memset(threads, 1, many * sizeof *threads);
  clock_start();
  for (int step = 0; step < 2; step++) {
    uint64_t target = step == 0 ? few : many;
    while (created < target) threads[created++] = spawn(park_unit, NULL);
    while (atomic_load(&started) < target) sched_yield();
    // A unit that has counted itself still holds the gate until it waits.
    pthread_mutex_lock(&gate);
    at[step] = parked_now(target);
    pthread_mutex_unlock(&gate);
  }
  clock_stop();
  pthread_mutex_lock(&gate);
  gate_open = 1;
  pthread_mutex_unlock(&gate);
  pthread_cond_broadcast(&gate_opened);
  for (uint64_t i = 0; i < many; i++) join(threads[i]);
  expect(counted, many, "threads resumed");
  report_parked(at[0], at[1]);
}

static void *echo_connection(void *argument) {
  int connection = (int)(intptr_t)argument;
  char buffer[4096];
  ssize_t count;
  while ((count = recv(connection, buffer, sizeof buffer, 0)) > 0) {
    if (send(connection, buffer, (size_t)count, MSG_NOSIGNAL) != count) fail("short write");
    counted += (uint64_t)count;
  }
  close(connection);
  return NULL;
}

static void echo(uint64_t connections) {
  int listener = echo_listen();
  pthread_t *threads = calloc(connections, sizeof *threads);
  clock_start();
  for (uint64_t i = 0; i < connections; i++) {
    int connection = accept(listener, NULL, NULL);
    if (connection < 0) fail("accept failed");
    echo_no_delay(connection);
    threads[i] = spawn(echo_connection, (void *)(intptr_t)connection);
  }
  for (uint64_t i = 0; i < connections; i++) join(threads[i]);
  clock_stop();
  report(counted / echo_message, NULL);
}

static void echo_pair(void) { echo(1); }
static void echo_1k(void) { echo(1000); }

int main(int argc, char **argv) {
  static const struct peer_row rows[] = {
      {"yield-2", yield_2},
      {"yield-1k", yield_1k},
      {"spawn-join", spawn_join},
      {"spawn-join-batch", spawn_join_batch},
      {"channel", channel},
      {"mutex", mutex_row},
      {"sleep-overshoot", sleep_overshoot},
      {"timer-sleep", timer_sleep},
      {"parked", parked},
      {"echo-pair", echo_pair},
      {"echo-1k", echo_1k},
  };
  return peer_main(argc, argv, "pthreads", rows, sizeof rows / sizeof *rows);
}
