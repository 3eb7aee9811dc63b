// Where and in which order tasks run, what starts and ends, and which threads there are.
import CLinux
import EventLoop
import Glibc

let executorChecks: [Check] = [
  Check("everything runs on the main thread with one loop") { _ in
    let main = clinux_thread_id()
    let threads = try EventLoops.run { () -> Set<Int32> in
      var seen: Set<Int32> = [clinux_thread_id()]
      seen.insert(await Task { clinux_thread_id() }.value)
      seen.insert(await Task.detached { clinux_thread_id() }.value)
      seen.insert(await MainActor.run { clinux_thread_id() })
      async let child = { clinux_thread_id() }()
      seen.insert(await child)
      try await Task.sleep(for: .milliseconds(1))
      seen.insert(clinux_thread_id())
      try await EventLoop.sleep(for: .milliseconds(1))
      seen.insert(clinux_thread_id())
      await withTaskGroup(of: Int32.self) { group in
        for _ in 0..<100 { group.addTask { clinux_thread_id() } }
        for await thread in group { seen.insert(thread) }
      }
      return seen
    }
    try expect(threads, [main], "threads that ran tasks")
  },

  Check("one loop is one thread in the process") { _ in
    let names = try EventLoops.run { () -> [String] in
      try await exercise()
      return ownThreads()
    }
    try expect(names.count, 1, "threads: \(names)")
  },

  Check("n loops are n threads and nothing else") { _ in
    let names = try EventLoops.run(count: 4) { () -> [String] in
      for loop in EventLoops.all { try await loop.spawn { try await exercise() }.value }
      return ownThreads()
    }
    try expect(names.filter { $0.hasPrefix("loop-") }, ["loop-1", "loop-2", "loop-3"], "loop threads")
    try expect(names.count, 4, "threads: \(names)")
    awaitTheKernel { ownThreads().count == 1 }
    try expect(ownThreads().count, 1, "threads after run")
  },

  Check("run returns the body's result and throws the body's error") { _ in
    try expect(try EventLoops.run { 42 }, 42, "result")
    do {
      try EventLoops.run { throw Failure(description: "mine") }
      throw Failure(description: "did not throw")
    } catch let failure as Failure {
      try expect(failure.description, "mine", "error")
    }
  },

  Check("run can be called again, and not while it runs") { _ in
    for count in [1, 3, 1, 2] {
      try expect(try EventLoops.run(count: count) { EventLoops.all.count }, count, "loops")
    }
    let nested = try EventLoops.run { () -> Bool in
      do {
        return try EventLoops.run { false }
      } catch LoopError.alreadyRunning {
        return true
      }
    }
    try expect(nested, "a nested run must throw alreadyRunning")
    do {
      try EventLoops.run(count: 0) {}
      throw Failure(description: "0 loops must throw")
    } catch LoopError.loopCount(0) {}
  },

  Check("ready jobs run in the order in which they became ready") { _ in
    let order = try EventLoops.run { () -> [Int] in
      let order = Guarded<[Int]>([])
      let box = Box(order)
      var tasks: [Task<Void, Never>] = []
      for index in 0..<1000 { tasks.append(Task { box.value.withLock { $0.append(index) } }) }
      for task in tasks { await task.value }
      return box.value.withLock { $0 }
    }
    try expect(order, Array(0..<1000), "order")
  },

  Check("a seed fixes a random order of jobs") { seed in
    func order(_ seed: UInt64) throws -> [Int] {
      try EventLoops.run(seed: seed) {
        let box = Box(Guarded<[Int]>([]))
        var tasks: [Task<Void, Never>] = []
        for index in 0..<50 {
          tasks.append(
            Task {
              for _ in 0..<3 { await Task.yield() }
              box.value.withLock { $0.append(index) }
            })
        }
        for task in tasks { await task.value }
        return box.value.withLock { $0 }
      }
    }
    let first = try order(seed)
    try expect(try order(seed), first, "the same seed")
    try expect(try order(seed &+ 1) != first, "another seed gives another order")
    try expect(first.sorted(), Array(0..<50), "all ran")
    try expect(first != Array(0..<50), "not the plain order")
  },

  Check("the main actor is loop 0 whatever loop calls it") { _ in
    let main = clinux_thread_id()
    try EventLoops.run(count: 3) {
      for loop in EventLoops.all {
        let (on, here) = try await loop.spawn { () -> (Int32, Int?) in
          let on = await MainActor.run {
            MainActor.assertIsolated()
            return clinux_thread_id()
          }
          return (on, EventLoop.current?.index)
        }.value
        try expect(on, main, "thread of the main actor")
        try expect(here != nil, "a task goes on on a loop")
      }
    }
  },

  Check("enter moves a task to a loop, and it stays there") { _ in
    try EventLoops.run(count: 4) {
      for loop in EventLoops.all + EventLoops.all {
        try await loop.spawn {
          for _ in 0..<100 {
            try expect(EventLoop.current === loop, "the loop of a spawned task")
            await Task.yield()
          }
          try await EventLoop.sleep(for: .microseconds(100))
          try expect(EventLoop.current === loop, "after a sleep")
          try await Task.sleep(for: .microseconds(100))
          try expect(EventLoop.current === loop, "after Task.sleep")
          _ = try await EventLoops.blocking { 1 }
          try expect(EventLoop.current === loop, "after a blocking call")
        }.value
      }
    }
  },

  Check("actors keep their isolation across loops") { _ in
    let total = try EventLoops.run(count: 4) { () -> Int in
      let counter = Tally()
      await withTaskGroup(of: Void.self) { group in
        for index in 0..<64 {
          group.addTask {
            await EventLoops.all[index % 4].enter()
            for _ in 0..<200 {
              await counter.add()
              if index % 7 == 0 { await Task.yield() }
            }
          }
        }
      }
      return await counter.total
    }
    try expect(total, 64 * 200, "actor's total")
  },

  Check("posts from foreign threads are neither lost nor doubled, and wake sleeping loops") { seed in
    let threads = 4
    let perThread = 2000
    let box = Box(Guarded<Int>(0))
    try EventLoops.run(count: 2) {
      let done = AsyncSemaphore(0)
      var handles: [pthread_t] = []
      for index in 0..<threads {
        handles.append(
          foreignThread {
            var random = Seeded(state: seed &+ UInt64(index))
            for _ in 0..<perThread {
              Task {
                box.value.withLock { $0 += 1 }
                done.release()
              }
              if random.next() % 64 == 0 { sched_yield() }
              // Now and then let the loops fall asleep, so that the sentinel is raced for.
              if random.next() % 256 == 0 { usleep(200) }
            }
          })
      }
      for _ in 0..<threads * perThread { try await done.acquire() }
      for handle in handles { pthread_join(handle, nil) }
      try expect(EventLoops.counters.received >= UInt64(threads * perThread), "jobs received from outside")
    }
    try expect(box.value.withLock { $0 }, threads * perThread, "tasks run")
  },

  Check("tasks hop between loops under stress") { seed in
    let hops = try EventLoops.run(count: 4) { () -> Int in
      let loops = EventLoops.all
      return try await withThrowingTaskGroup(of: Int.self) { group in
        for task in 0..<50 {
          group.addTask {
            var random = Seeded(state: seed &+ UInt64(task))
            var hops = 0
            for _ in 0..<200 {
              let loop = loops[Int(random.next() % 4)]
              await loop.enter()
              try expect(EventLoop.current === loop, "the loop entered")
              hops += 1
            }
            return hops
          }
        }
        var sum = 0
        for try await hops in group { sum += hops }
        return sum
      }
    }
    try expect(hops, 50 * 200, "hops")
  },

  Check("counters count jobs, polls, sleeps and wakes") { _ in
    try EventLoops.run {
      let before = EventLoops.counters
      for _ in 0..<100 { await Task.yield() }
      // A loop sleeps only if nothing has become due by the time that it gets there: on a slow machine not at once.
      var naps: UInt64 = 0
      repeat {
        naps += 1
        try await EventLoop.sleep(for: .milliseconds(2 * Int(naps)))
      } while EventLoops.counters.sleeps == before.sleeps && naps < 100
      let after = EventLoops.counters
      try expect(after.jobs >= before.jobs + 64, "jobs \(before.jobs) -> \(after.jobs)")
      try expect(after.sleeps > before.sleeps, "sleeps")
      try expect(after.polls > before.polls, "polls")
      try expect(after.timersArmed, before.timersArmed + naps, "timers armed")
      try expect(after.timersFired, before.timersFired + naps, "timers fired")
    }
  },

  Check("loops that cannot be had are an error") { _ in
    try withFewDescriptors(room: 3) {
      do {
        try EventLoops.run(count: 8) {}
        throw Failure(description: "no descriptors are left for 8 loops")
      } catch LoopError.system(_, EMFILE) {}
    }
    try expect(try EventLoops.run(count: 8) { 1 }, 1, "with descriptors it works")
  },
]

/// Uses everything that might start a thread.
func exercise() async throws {
  try await Task.sleep(for: .milliseconds(1))
  try await EventLoop.sleep(for: .milliseconds(1))
  await Task.detached(priority: .background) {}.value
  await Task(priority: .high) {}.value
  await MainActor.run {}
  let tally = Tally()
  await tally.add()
  await withDiscardingTaskGroup { group in
    for _ in 0..<10 { group.addTask { await Task.yield() } }
  }
  let clock = SuspendingClock()
  try await clock.sleep(for: .milliseconds(1))
}

actor Tally {
  var total = 0
  func add() { total += 1 }
}

final class Box<Value: ~Copyable & Sendable>: Sendable {
  let value: Value
  init(_ value: consuming Value) { self.value = value }
}

/// Gives the kernel time to clear joined threads away: they stay in /proc for a moment. What holds then is for the caller
/// to expect.
func awaitTheKernel(_ isDone: () -> Bool) {
  var looks = 0
  while !isDone() && looks < 100_000 {
    looks += 1
    usleep(1_000)
  }
}

/// Whether this is a sanitizer's build: everything then takes several times the memory and the time.
let isSanitized = dlsym(nil, "__tsan_init") != nil || dlsym(nil, "__asan_init") != nil

/// The threads of the process, without the one that the thread sanitizer runs beside the program, under its name.
func ownThreads() -> [String] {
  var names = threadNames()
  if dlsym(nil, "__tsan_init") != nil, let main = names.first(where: { !$0.hasPrefix("loop-") }),
    names.count(where: { $0 == main }) > 1
  {
    names.remove(at: names.firstIndex(of: main) ?? 0)
  }
  return names
}

func foreignThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
  final class Start: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  let result = pthread_create(
    &thread, nil,
    { argument in
      if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body() }
      return nil
    }, Unmanaged.passRetained(Start(body)).toOpaque())
  precondition(result == 0, "pthread_create: errno \(result)")
  return thread
}

/// Lowers the limit of open files so that `room` more fit, for the duration of `body`.
func withFewDescriptors<T>(room: Int, _ body: () throws -> T) throws -> T {
  let limits = lowerDescriptorLimit(room: room)
  defer { restoreDescriptorLimit(limits) }
  return try body()
}

func lowerDescriptorLimit(room: Int) -> rlimit {
  var limit = rlimit()
  getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  // The lowest free number tells how many are in use.
  let next = dup(1)
  close(next)
  var lowered = limit
  lowered.rlim_cur = rlim_t(Int(next) + room)
  setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &lowered)
  return limit
}

func restoreDescriptorLimit(_ limit: rlimit) {
  var limit = limit
  setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
