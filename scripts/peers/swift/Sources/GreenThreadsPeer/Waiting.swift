// Rows of units that wait: for time, for a cancellation, for a permit.
import GreenThreads
import Measure

func sleepOvershoot(_ run: Run) throws {
  var late: [UInt64] = []
  run.start()
  for _ in 0..<run.scaled(1000) {
    let begun = monotonicNanoseconds()
    try sleep(for: .milliseconds(1))
    late.append(run.overshoot(since: begun))
  }
  run.stop()
  run.reportOvershoot(late)
}

func timerSleep(_ run: Run) throws {
  let units = 1000
  let rounds = run.scaled(300)
  let counts = Counts()
  var all = JoinSet<Void>()
  run.start()
  for _ in 0..<units {
    try all.spawn {
      for _ in 0..<rounds { try sleep(for: .milliseconds(1)) }
      counts.counted += rounds
    }
  }
  while try all.joinNext() != nil {}
  run.stop()
  run.expect(counts.counted, units * rounds, "sleeps")
  run.report(units * rounds)
}

func sleepFire(_ run: Run) throws {
  let count = run.scaled(1_000_000)
  let counts = Counts()
  var random = Generator(seed: 1)
  var all = JoinSet<Void>()
  run.start()
  for _ in 0..<count {
    let nanoseconds = 1_000_000_000 + Int64(random.next() % 1_000_000_000)
    try all.spawn {
      try sleep(for: .nanoseconds(nanoseconds))
      counts.counted += 1
    }
  }
  while try all.joinNext() != nil {}
  run.stop()
  run.expect(counts.counted, count, "sleeps")
  run.report(count, ["outstanding": "\(count)"])
}

/// Units that sleep one to two hours, all of them asleep when `init` returns. Handles cannot be copied, hence no array.
struct Sleepers: ~Copyable {
  private let handles: UnsafeMutablePointer<JoinHandle<Void>>
  private let count: Int
  private let counts = Counts()
  private var random = Generator(seed: 1)
  private var spawned = 0

  var cancelled: Int { counts.counted }

  init(_ count: Int) throws {
    handles = .allocate(capacity: count)
    self.count = count
    for i in 0..<count { (handles + i).initialize(to: try next()) }
    while counts.started < count { yield() }
  }

  private mutating func next() throws -> JoinHandle<Void> {
    let counts = self.counts
    let nanoseconds = 3_600_000_000_000 + Int64(random.next() % 3_600_000_000_000)
    return try spawn {
      counts.started += 1
      do { try sleep(for: .nanoseconds(nanoseconds)) } catch is CancellationError { counts.counted += 1 }
    }
  }

  /// Cancels a sleeper, waits for its end, and puts another one in its place.
  mutating func replace(_ index: Int) throws {
    let handle = (handles + index).move()
    handle.cancel()
    try handle.join()
    (handles + index).initialize(to: try next())
  }

  consuming func cancelAll() throws {
    for i in 0..<count { handles[i].cancel() }
    for i in 0..<count { try (handles + i).move().join() }
    handles.deallocate()
  }
}

func sleepCancel(_ run: Run) throws {
  let outstanding = run.scaled(1_000_000)
  let operations = outstanding / 2
  var sleepers = try Sleepers(outstanding)
  run.start()
  for i in 0..<operations { try sleepers.replace(i) }
  run.stop()
  run.expect(sleepers.cancelled, operations, "sleeps cancelled")
  try sleepers.cancelAll()
  run.report(operations, ["outstanding": "\(outstanding)"])
}

/// A million timers armed; again and again the oldest is cancelled and another put in its place.
func timerCancel(_ run: Run) throws {
  let outstanding = run.scaled(1_000_000)
  let operations = outstanding * 2
  let counts = Counts()
  var random = Generator(seed: 1)
  func arm() -> Timer {
    Timer(after: .nanoseconds(3_600_000_000_000 + Int64(random.next() % 3_600_000_000_000))) { counts.finished += 1 }
  }
  var timers = (0..<outstanding).map { _ in arm() }
  run.start()
  for i in 0..<operations {
    let slot = i % outstanding
    if timers[slot].cancel() { counts.counted += 1 }
    timers[slot] = arm()
  }
  run.stop()
  for timer in timers { if timer.cancel() { counts.counted += 1 } }
  run.expect(counts.counted, outstanding + operations, "timers cancelled")
  run.expect(counts.finished, 0, "timers fired")
  run.report(operations, ["outstanding": "\(outstanding)"])
}

func timerFire(_ run: Run) throws {
  let count = run.scaled(1_000_000)
  let counts = Counts()
  let done = Semaphore(permits: 0)
  var random = Generator(seed: 1)
  run.start()
  for _ in 0..<count {
    Timer(after: .nanoseconds(1_000_000_000 + Int64(random.next() % 1_000_000_000))) {
      counts.counted += 1
      if counts.counted == count { done.release() }
    }
  }
  try done.acquire()
  run.stop()
  run.expect(counts.counted, count, "timers fired")
  run.report(count, ["outstanding": "\(count)"])
}

/// Channel round trips in which both sides receive with a timeout, while a million sleep. Two timers armed and cancelled
/// for each.
func timeouts(_ run: Run) throws {
  let outstanding = run.scaled(1_000_000)
  let trips = run.scaled(500_000)
  let warm = trips / 10 + 1
  let sleepers = try Sleepers(outstanding)
  let out = Channel<Int>(capacity: 1)
  let back = Channel<Int>(capacity: 1)
  let echo = try spawn {
    while let value = try out.receive(timeout: .seconds(3600)) { try back.send(value + 1) }
  }
  var sum = 0
  for i in 0..<warm + trips {
    if i == warm { run.start() }
    try out.send(i)
    guard let reply = try back.receive(timeout: .seconds(3600)) else { run.fail("the channel ended early") }
    sum += reply - i
  }
  run.stop()
  out.close()
  try echo.join()
  try sleepers.cancelAll()
  run.expect(sum, warm + trips, "replies")
  run.report(trips, ["outstanding": "\(outstanding)"])
}

func parked(_ run: Run) throws {
  let many = max(10, run.scaled(1_000_000))
  let gate = Semaphore(permits: 0)
  let counts = Counts()
  var all = JoinSet<Void>()
  func park(until count: Int) throws -> ParkedMemory {
    while all.count < count {
      try all.spawn {
        counts.started += 1
        try gate.acquire()
        counts.counted += 1
      }
    }
    while counts.started < count { yield() }
    return run.parkedMemory(count)
  }
  run.start()
  let few = try park(until: many / 10)
  let most = try park(until: many)
  run.stop()
  for _ in 0..<many { gate.release() }
  while try all.joinNext() != nil {}
  run.expect(counts.counted, many, "units resumed")
  run.reportParked(few, most)
}
