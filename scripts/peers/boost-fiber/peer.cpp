// Boost.Fiber, one thread, its default round-robin scheduler. It has no timers other than sleeping fibers, and no
// sockets of its own.
#include "measure.h"
#include "slab_stacks.hpp"

#include <boost/fiber/all.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

namespace {

namespace fibers = boost::fibers;
namespace this_fiber = boost::this_fiber;
using fibers::fiber;
using fibers::launch;

template <typename Body>
fiber spawn(slab_stacks &stacks, Body &&body, launch when = launch::post) {
  return fiber{when, std::allocator_arg, stacks, std::forward<Body>(body)};
}

void yield_among(uint64_t units, uint64_t total) {
  slab_stacks stacks{units + 1};
  const uint64_t rounds = std::max<uint64_t>(scaled(total) / units, 1);
  uint64_t started = 0, finished = 0, yields = 0;
  std::vector<fiber> all;
  all.reserve(units);
  for (uint64_t i = 0; i < units; i++)
    all.push_back(spawn(stacks, [&] {
      if (++started == units) clock_start();
      while (started < units) this_fiber::yield();
      for (uint64_t round = 0; round < rounds; round++) this_fiber::yield();
      yields += rounds;
      if (++finished == units) clock_stop();
    }));
  for (auto &unit : all) unit.join();
  expect(yields, units * rounds, "yields");
  report(yields, nullptr);
}

void yield_2() { yield_among(2, 5000000); }
void yield_1k() { yield_among(1000, 5000000); }
void yield_100k() { yield_among(100000, 2000000); }

// At once (launch::dispatch), which takes a quarter less where the fiber is joined next. In batches it takes more.
void spawn_join() {
  slab_stacks stacks{10000};
  const uint64_t count = scaled(1000000), warm = count / 10 + 1;
  uint64_t ran = 0;
  for (uint64_t i = 0; i < warm; i++) spawn(stacks, [&ran] { ran++; }, launch::dispatch).join();
  clock_start();
  for (uint64_t i = 0; i < count; i++) spawn(stacks, [&ran] { ran++; }, launch::dispatch).join();
  clock_stop();
  expect(ran, warm + count, "units run");
  report(count, nullptr);
}

void spawn_join_batch() {
  slab_stacks stacks{10000};
  constexpr uint64_t batch = 1000;
  const uint64_t batches = scaled(1000), warm = batches / 10 + 1;
  uint64_t ran = 0;
  std::vector<fiber> units(batch);
  const auto run = [&](uint64_t times) {
    for (uint64_t i = 0; i < times; i++) {
      for (auto &unit : units) unit = spawn(stacks, [&ran] { ran++; });
      for (auto &unit : units) unit.join();
    }
  };
  run(warm);
  clock_start();
  run(batches);
  clock_stop();
  expect(ran, (warm + batches) * batch, "units run");
  report(batches * batch, nullptr);
}

template <typename Channel, typename... Capacity>
void round_trips(Capacity... capacity) {
  slab_stacks stacks{10000};
  const uint64_t trips = scaled(1000000), warm = trips / 10 + 1;
  Channel out{capacity...}, back{capacity...};
  uint64_t sum = 0;
  fiber echo = spawn(stacks, [&] {
    uint64_t value = 0;
    while (out.pop(value) == fibers::channel_op_status::success) back.push(value + 1);
  });
  fiber driver = spawn(stacks, [&] {
    for (uint64_t i = 0; i < warm + trips; i++) {
      if (i == warm) clock_start();
      out.push(i);
      uint64_t value = 0;
      back.pop(value);
      sum += value - i;
    }
    clock_stop();
    out.close();
  });
  driver.join();
  echo.join();
  expect(sum, warm + trips, "replies");
  report(trips, nullptr);
}

// A buffered channel of size 2 holds one value: its ring keeps one slot free.
void channel() { round_trips<fibers::buffered_channel<uint64_t>>(std::size_t{2}); }
void channel_unbuffered() { round_trips<fibers::unbuffered_channel<uint64_t>>(); }

void mutex_row() {
  slab_stacks stacks{10000};
  const uint64_t each = scaled(1000000) / 2 + 1;
  fibers::mutex mutex;
  uint64_t acquisitions = 0, handovers = 0, owner = 0, finished = 0;
  const auto contend = [&](uint64_t self) {
    if (self == 1) clock_start();
    for (uint64_t i = 0; i < each; i++) {
      mutex.lock();
      acquisitions++;
      handovers += owner != self;
      owner = self;
      this_fiber::yield();
      mutex.unlock();
      this_fiber::yield();
    }
    if (++finished == 2) clock_stop();
  };
  fiber first = spawn(stacks, [&] { contend(1); });
  fiber second = spawn(stacks, [&] { contend(2); });
  first.join();
  second.join();
  expect(acquisitions, each * 2, "acquisitions");
  report_handovers(handovers, acquisitions);
}

void sleep_overshoot() {
  const uint64_t count = scaled(1000);
  std::vector<uint64_t> late;
  clock_start();
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t begun = now_ns();
    this_fiber::sleep_for(std::chrono::milliseconds(1));
    late.push_back(slept(begun, 1000000));
  }
  clock_stop();
  report_overshoot(late.data(), count);
}

void timer_sleep() {
  slab_stacks stacks{10000};
  constexpr uint64_t units = 1000;
  const uint64_t rounds = scaled(300);
  uint64_t sleeps = 0;
  std::vector<fiber> all;
  clock_start();
  for (uint64_t i = 0; i < units; i++)
    all.push_back(spawn(stacks, [&] {
      for (uint64_t round = 0; round < rounds; round++) {
        this_fiber::sleep_for(std::chrono::milliseconds(1));
        sleeps++;
      }
    }));
  for (auto &unit : all) unit.join();
  clock_stop();
  expect(sleeps, units * rounds, "sleeps");
  report(sleeps, nullptr);
}

// A million fibers that sleep 1 to 2 seconds, all asleep at once.
void sleep_fire() {
  const uint64_t count = scaled(1000000);
  slab_stacks stacks{count + 1};
  uint64_t sleeps = 0, random = 1;
  std::vector<fiber> all;
  all.reserve(count);
  clock_start();
  for (uint64_t i = 0; i < count; i++) {
    const std::chrono::nanoseconds duration{1000000000 + next_random(&random) % 1000000000};
    all.push_back(spawn(stacks, [&sleeps, duration] {
      this_fiber::sleep_for(duration);
      sleeps++;
    }));
  }
  for (auto &unit : all) unit.join();
  clock_stop();
  expect(sleeps, count, "sleeps");
  report(count, ",\"outstanding\":%llu", (unsigned long long)count);
}

// Channel round trips in which both sides receive with a timeout, while a million fibers sleep.
void timeouts() {
  const uint64_t outstanding = scaled(1000000), trips = scaled(500000), warm = trips / 10 + 1;
  slab_stacks stacks{outstanding + 10};
  uint64_t random = 1, asleep = 0, sum = 0;
  for (uint64_t i = 0; i < outstanding; i++) {
    const std::chrono::nanoseconds duration{3600000000000 + next_random(&random) % 3600000000000};
    spawn(stacks, [&asleep, duration] {
      asleep++;
      this_fiber::sleep_for(duration);
      fail("a sleep of an hour ended");
    }).detach();
  }
  while (asleep < outstanding) this_fiber::yield();
  fibers::buffered_channel<uint64_t> out{2}, back{2};
  const auto receive = [](fibers::buffered_channel<uint64_t> &from, uint64_t &value) {
    const auto status = from.pop_wait_for(value, std::chrono::hours(1));
    if (status == fibers::channel_op_status::timeout) fail("a receive timed out");
    return status == fibers::channel_op_status::success;
  };
  fiber echo = spawn(stacks, [&] {
    uint64_t value = 0;
    while (receive(out, value)) back.push(value + 1);
  });
  fiber driver = spawn(stacks, [&] {
    for (uint64_t i = 0; i < warm + trips; i++) {
      if (i == warm) clock_start();
      out.push(i);
      uint64_t value = 0;
      receive(back, value);
      sum += value - i;
    }
    clock_stop();
    out.close();
  });
  driver.join();
  echo.join();
  expect(sum, warm + trips, "replies");
  report(trips, ",\"outstanding\":%llu", (unsigned long long)outstanding);
  _exit(0);  // not `exit`: leaving the thread would wait for the sleepers
}

// Depth first (launch::dispatch), as the library's own version of this benchmark does: breadth first, a million stacks
// would exist at once.
uint64_t leaves(slab_stacks &stacks, uint64_t first, uint64_t size) {
  if (size == 1) return first;
  uint64_t sums[10];
  fiber children[10];
  for (uint64_t i = 0; i < 10; i++)
    children[i] = fiber{launch::dispatch, std::allocator_arg, stacks, [&stacks, &sums, i, first, size] {
                          sums[i] = leaves(stacks, first + i * (size / 10), size / 10);
                        }};
  uint64_t sum = 0;
  for (uint64_t i = 0; i < 10; i++) {
    children[i].join();
    sum += sums[i];
  }
  return sum;
}

void tree() {
  slab_stacks stacks{2000000};
  const uint64_t size = tree_leaves();
  uint64_t sum = 0;
  clock_start();
  fiber{launch::dispatch, std::allocator_arg, stacks, [&] { sum = leaves(stacks, 0, size); }}.join();
  clock_stop();
  expect(sum, size * (size - 1) / 2, "as the sum of the leaves");
  report(size, nullptr);
}

void parked() {
  const uint64_t many = std::max<uint64_t>(scaled(1000000), 10), few = many / 10;
  slab_stacks stacks{many + 1};
  fibers::mutex mutex;
  fibers::condition_variable released;
  bool release = false;
  uint64_t waiting = 0, resumed = 0;
  std::vector<fiber> all;
  all.reserve(many);
  const auto park_until = [&](uint64_t count) {
    while (all.size() < count)
      all.emplace_back(launch::post, std::allocator_arg, stacks, [&] {
        std::unique_lock<fibers::mutex> lock{mutex};
        waiting++;
        released.wait(lock, [&] { return release; });
        resumed++;
      });
    while (waiting < count) this_fiber::yield();
    return parked_now(count);
  };
  clock_start();
  const parked_memory at_few = park_until(few), at_many = park_until(many);
  clock_stop();
  {
    std::unique_lock<fibers::mutex> lock{mutex};
    release = true;
  }
  released.notify_all();
  for (auto &unit : all) unit.join();
  expect(resumed, many, "units resumed");
  report_parked(at_few, at_many);
}

}  // namespace

int main(int argc, char **argv) {
  static const peer_row rows[] = {
      {"yield-2", yield_2},
      {"yield-1k", yield_1k},
      {"yield-100k", yield_100k},
      {"spawn-join", spawn_join},
      {"spawn-join-batch", spawn_join_batch},
      {"channel", channel},
      {"channel-unbuffered", channel_unbuffered},
      {"mutex", mutex_row},
      {"sleep-overshoot", sleep_overshoot},
      {"timer-sleep", timer_sleep},
      {"timeout", timeouts},
      {"sleep-fire", sleep_fire},
      {"tree", tree},
      {"parked", parked},
  };
  return peer_main(argc, argv, "boost-fiber", rows, sizeof rows / sizeof *rows);
}
