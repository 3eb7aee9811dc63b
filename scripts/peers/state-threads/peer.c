// State Threads (libst): one kernel thread, epoll. It has no channels; its users write them with condition variables,
// as here. Nothing preempts, so shared words need no lock. It has no timers other than sleeping threads.
#include "measure.h"
#include "sockets.h"

#include <st.h>

enum { stack_bytes = 65536 };

static st_thread_t spawn(void *(*run)(void *), void *argument) {
  st_thread_t thread = st_thread_create(run, argument, 1, stack_bytes);
  if (!thread) fail("st_thread_create: no stack could be had");
  return thread;
}

static void join(st_thread_t thread) {
  if (st_thread_join(thread, NULL) != 0) fail("st_thread_join failed");
}

// What the threads of the row under way share.
static uint64_t units, rounds, started, finished, counted;

static void start(void) {
  if (st_set_eventsys(ST_EVENTSYS_ALT) != 0 || st_init() != 0) fail("st_init failed");
}

// A thread yields by sleeping for no time.
static void *yield_unit(void *argument) {
  (void)argument;
  if (++started == units) clock_start();
  while (started < units) st_usleep(0);
  for (uint64_t i = 0; i < rounds; i++) st_usleep(0);
  counted += rounds;
  if (++finished == units) clock_stop();
  return NULL;
}

static void yield_among(uint64_t count, uint64_t total) {
  start();
  units = count;
  rounds = scaled(total) / count;
  if (rounds == 0) rounds = 1;
  st_thread_t *threads = calloc(count, sizeof *threads);
  for (uint64_t i = 0; i < count; i++) threads[i] = spawn(yield_unit, NULL);
  for (uint64_t i = 0; i < count; i++) join(threads[i]);
  expect(counted, units * rounds, "yields");
  report(counted, NULL);
}

static void yield_2(void) { yield_among(2, 3000000); }
static void yield_1k(void) { yield_among(1000, 3000000); }
static void yield_100k(void) { yield_among(100000, 1000000); }

static void *count_unit(void *argument) {
  (void)argument;
  counted++;
  return NULL;
}

static void spawn_join(void) {
  start();
  uint64_t count = scaled(2000000), warm = count / 10 + 1;
  for (uint64_t i = 0; i < warm; i++) join(spawn(count_unit, NULL));
  clock_start();
  for (uint64_t i = 0; i < count; i++) join(spawn(count_unit, NULL));
  clock_stop();
  expect(counted, warm + count, "threads run");
  report(count, NULL);
}

static void spawn_join_batch(void) {
  enum { batch = 1000 };
  start();
  uint64_t batches = scaled(1000), warm = batches / 10 + 1;
  st_thread_t threads[batch];
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
  st_cond_t changed;
  uint64_t value;
  int full, closed;
};

static struct slot out, back;

static void put(struct slot *slot, uint64_t value) {
  while (slot->full) st_cond_wait(slot->changed);
  slot->value = value;
  slot->full = 1;
  st_cond_signal(slot->changed);
}

static int take(struct slot *slot, uint64_t *value) {
  while (!slot->full) {
    if (slot->closed) return 0;
    st_cond_wait(slot->changed);
  }
  *value = slot->value;
  slot->full = 0;
  st_cond_signal(slot->changed);
  return 1;
}

static void *echo_values(void *argument) {
  (void)argument;
  uint64_t value;
  while (take(&out, &value)) put(&back, value + 1);
  return NULL;
}

static void channel(void) {
  start();
  uint64_t trips = scaled(6000000), warm = trips / 10 + 1, value = 0;
  out.changed = st_cond_new();
  back.changed = st_cond_new();
  st_thread_t echo = spawn(echo_values, NULL);
  for (uint64_t i = 0; i < warm + trips; i++) {
    if (i == warm) clock_start();
    put(&out, i);
    take(&back, &value);
    counted += value - i;
  }
  clock_stop();
  out.closed = 1;
  st_cond_signal(out.changed);
  join(echo);
  expect(counted, warm + trips, "replies");
  report(trips, NULL);
}

static st_mutex_t mutex;
static uint64_t handovers, owner;

static void *contend(void *argument) {
  uint64_t self = (uint64_t)(uintptr_t)argument;
  if (self == 1) clock_start();
  for (uint64_t i = 0; i < rounds; i++) {
    st_mutex_lock(mutex);
    counted++;
    handovers += owner != self;
    owner = self;
    st_usleep(0);
    st_mutex_unlock(mutex);
    st_usleep(0);
  }
  if (++finished == 2) clock_stop();
  return NULL;
}

static void mutex_row(void) {
  start();
  rounds = scaled(1000000) / 2 + 1;
  mutex = st_mutex_new();
  st_thread_t first = spawn(contend, (void *)1), second = spawn(contend, (void *)2);
  join(first);
  join(second);
  expect(counted, rounds * 2, "acquisitions");
  report_handovers(handovers, counted);
}

static void sleep_overshoot(void) {
  start();
  uint64_t count = scaled(1000), *late = calloc(count, sizeof *late);
  clock_start();
  for (uint64_t i = 0; i < count; i++) {
    uint64_t begun = now_ns();
    st_usleep(1000);
    late[i] = slept(begun, 1000000);
  }
  clock_stop();
  report_overshoot(late, count);
}

static void *sleep_unit(void *argument) {
  (void)argument;
  for (uint64_t i = 0; i < rounds; i++) {
    st_usleep(1000);
    counted++;
  }
  return NULL;
}

static void timer_sleep(void) {
  enum { sleepers = 1000 };
  start();
  rounds = scaled(300);
  st_thread_t threads[sleepers];
  clock_start();
  for (int i = 0; i < sleepers; i++) threads[i] = spawn(sleep_unit, NULL);
  for (int i = 0; i < sleepers; i++) join(threads[i]);
  clock_stop();
  expect(counted, sleepers * rounds, "sleeps");
  report(counted, NULL);
}

// A million threads that sleep 1 to 2 seconds, all asleep at once.
static void *sleep_once(void *argument) {
  if (st_usleep((st_utime_t)(uintptr_t)argument) == 0) counted++;
  return NULL;
}

static void sleep_fire(void) {
  start();
  uint64_t count = scaled(1000000), random = 1;
  st_thread_t *threads = malloc(count * sizeof *threads);
  clock_start();
  for (uint64_t i = 0; i < count; i++)
    threads[i] = spawn(sleep_once, (void *)(uintptr_t)((1000000000 + next_random(&random) % 1000000000) / 1000));
  for (uint64_t i = 0; i < count; i++) join(threads[i]);
  clock_stop();
  expect(counted, count, "sleeps");
  report(count, ",\"outstanding\":%llu", (unsigned long long)count);
}

// Threads that sleep one to two hours.
static void *sleep_long(void *argument) {
  started++;
  if (st_usleep((st_utime_t)(uintptr_t)argument) == -1) counted++;
  return NULL;
}

static st_thread_t start_sleeper(uint64_t *random) {
  return spawn(sleep_long, (void *)(uintptr_t)((3600000000000 + next_random(random) % 3600000000000) / 1000));
}

static st_thread_t *start_sleepers(uint64_t count, uint64_t *random) {
  st_thread_t *threads = malloc(count * sizeof *threads);
  for (uint64_t i = 0; i < count; i++) threads[i] = start_sleeper(random);
  while (started < count) st_usleep(0);
  return threads;
}

// A million threads asleep; again and again the oldest is interrupted and awaited, and another put in its place.
static void sleep_cancel(void) {
  start();
  uint64_t outstanding = scaled(1000000), operations = (outstanding + 1) / 2, random = 1;
  st_thread_t *threads = start_sleepers(outstanding, &random);
  clock_start();
  for (uint64_t i = 0; i < operations; i++) {
    st_thread_interrupt(threads[i]);
    join(threads[i]);
    threads[i] = start_sleeper(&random);
  }
  clock_stop();
  expect(counted, operations, "sleeps cancelled");
  report(operations, ",\"outstanding\":%llu", (unsigned long long)outstanding);
}

// Channel round trips in which both sides receive with a timeout, while a million sleep.
static int take_within(struct slot *slot, uint64_t *value, st_utime_t timeout) {
  while (!slot->full) {
    if (slot->closed) return 0;
    if (st_cond_timedwait(slot->changed, timeout) != 0) fail("a receive timed out");
  }
  return take(slot, value);
}

static const st_utime_t hour = 3600000000u;

static void *echo_within(void *argument) {
  (void)argument;
  uint64_t value;
  while (take_within(&out, &value, hour)) put(&back, value + 1);
  return NULL;
}

static void timeouts(void) {
  start();
  uint64_t outstanding = scaled(1000000), trips = scaled(500000), warm = trips / 10 + 1, random = 1, value = 0, sum = 0;
  start_sleepers(outstanding, &random);
  out.changed = st_cond_new();
  back.changed = st_cond_new();
  st_thread_t echo = spawn(echo_within, NULL);
  for (uint64_t i = 0; i < warm + trips; i++) {
    if (i == warm) clock_start();
    put(&out, i);
    take_within(&back, &value, hour);
    sum += value - i;
  }
  clock_stop();
  out.closed = 1;
  st_cond_signal(out.changed);
  join(echo);
  expect(sum, warm + trips, "replies");
  report(trips, ",\"outstanding\":%llu", (unsigned long long)outstanding);
}

struct branch {
  uint64_t first, size, sum;
};

static void *leaves(void *argument) {
  struct branch *branch = argument;
  if (branch->size == 1) {
    branch->sum = branch->first;
    return NULL;
  }
  struct branch children[10];
  st_thread_t threads[10];
  uint64_t part = branch->size / 10;
  for (uint64_t i = 0; i < 10; i++) {
    children[i] = (struct branch){branch->first + i * part, part, 0};
    threads[i] = spawn(leaves, &children[i]);
  }
  for (int i = 0; i < 10; i++) {
    join(threads[i]);
    branch->sum += children[i].sum;
  }
  return NULL;
}

static void tree(void) {
  start();
  struct branch root = {0, tree_leaves(), 0};
  clock_start();
  join(spawn(leaves, &root));
  clock_stop();
  expect(root.sum, root.size * (root.size - 1) / 2, "as the sum of the leaves");
  report(root.size, NULL);
}

static st_cond_t released;

static void *park_unit(void *argument) {
  (void)argument;
  started++;
  st_cond_wait(released);
  counted++;
  return NULL;
}

static void parked(void) {
  start();
  uint64_t many = scaled(1000000) < 10 ? 10 : scaled(1000000), few = many / 10;
  st_thread_t *threads = malloc(many * sizeof *threads);
  struct parked_memory at[2];
  memset(threads, 1, many * sizeof *threads);
  released = st_cond_new();
  uint64_t created = 0;
  clock_start();
  for (int step = 0; step < 2; step++) {
    uint64_t target = step == 0 ? few : many;
    while (created < target) threads[created++] = spawn(park_unit, NULL);
    while (started < target) st_usleep(0);
    at[step] = parked_now(target);
  }
  clock_stop();
  st_cond_broadcast(released);
  for (uint64_t i = 0; i < many; i++) join(threads[i]);
  expect(counted, many, "threads resumed");
  report_parked(at[0], at[1]);
}

static void *echo_connection(void *argument) {
  st_netfd_t connection = argument;
  char buffer[4096];
  ssize_t count;
  while ((count = st_read(connection, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT)) > 0) {
    if (st_write(connection, buffer, (size_t)count, ST_UTIME_NO_TIMEOUT) != count) fail("short write");
    counted += (uint64_t)count;
  }
  st_netfd_close(connection);
  return NULL;
}

static void echo(uint64_t connections) {
  start();
  st_netfd_t listener = st_netfd_open_socket(echo_listen());
  st_thread_t *threads = calloc(connections, sizeof *threads);
  clock_start();
  for (uint64_t i = 0; i < connections; i++) {
    st_netfd_t connection = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT);
    if (!connection) fail("st_accept failed");
    echo_no_delay(st_netfd_fileno(connection));
    threads[i] = spawn(echo_connection, connection);
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
      {"yield-100k", yield_100k},
      {"spawn-join", spawn_join},
      {"spawn-join-batch", spawn_join_batch},
      {"channel", channel},
      {"mutex", mutex_row},
      {"sleep-overshoot", sleep_overshoot},
      {"timer-sleep", timer_sleep},
      {"timeout", timeouts},
      {"sleep-fire", sleep_fire},
      {"sleep-cancel", sleep_cancel},
      {"tree", tree},
      {"parked", parked},
      {"echo-pair", echo_pair},
      {"echo-1k", echo_1k},
  };
  return peer_main(argc, argv, "state-threads", rows, sizeof rows / sizeof *rows);
}
