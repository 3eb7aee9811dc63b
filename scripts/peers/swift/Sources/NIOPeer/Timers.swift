// Scheduled tasks of the loop.
import Measure
import NIOCore

func sleepOvershoot(_ run: Run, _ loop: any EventLoop) -> EventLoopFuture<Void> {
  let count = run.scaled(1000)
  let done = loop.makePromise(of: Void.self)
  let late = Late()
  @Sendable func next() {
    if late.values.count == count {
      run.stop()
      return done.succeed(())
    }
    let begun = monotonicNanoseconds()
    loop.scheduleTask(in: .milliseconds(1)) {
      late.values.append(run.overshoot(since: begun))
      next()
    }
  }
  run.start()
  next()
  return done.futureResult.map { run.reportOvershoot(late.values) }
}

/// Unchecked: used on its loop only.
private final class Late: @unchecked Sendable {
  var values: [UInt64] = []
}

func timerSleep(_ run: Run, _ loop: any EventLoop) -> EventLoopFuture<Void> {
  let units = 1000
  let rounds = run.scaled(300)
  let counts = Counts()
  let done = loop.makePromise(of: Void.self)
  @Sendable func sleep(_ left: Int) {
    if left > 0 {
      loop.scheduleTask(in: .milliseconds(1)) {
        counts.counted += 1
        sleep(left - 1)
      }
      return
    }
    counts.finished += 1
    if counts.finished == units {
      run.stop()
      done.succeed(())
    }
  }
  run.start()
  for _ in 0..<units { sleep(rounds) }
  return done.futureResult.map {
    run.expect(counts.counted, units * rounds, "sleeps")
    run.report(units * rounds)
  }
}

/// What the timers of `timerFire` and `timerCancel` call: the library's way to wait for a time without a promise.
/// Unchecked: used on its loop only.
private final class Callback: NIOScheduledCallbackHandler, @unchecked Sendable {
  private let counts: Counts
  private let whenFired: (Int) -> Void

  init(_ counts: Counts, whenFired: @escaping (Int) -> Void = { _ in }) {
    self.counts = counts
    self.whenFired = whenFired
  }

  func handleScheduledCallback(eventLoop: some EventLoop) {
    counts.counted += 1
    whenFired(counts.counted)
  }

  func didCancelScheduledCallback(eventLoop: some EventLoop) { counts.finished += 1 }
}

func timerFire(_ run: Run, _ loop: any EventLoop) throws -> EventLoopFuture<Void> {
  let count = run.scaled(1_000_000)
  let counts = Counts()
  let done = loop.makePromise(of: Void.self)
  let callback = Callback(counts) { fired in
    if fired == count {
      run.stop()
      done.succeed(())
    }
  }
  var random = Generator(seed: 1)
  run.start()
  for _ in 0..<count {
    try loop.scheduleCallback(in: .nanoseconds(1_000_000_000 + Int64(random.next() % 1_000_000_000)), handler: callback)
  }
  return done.futureResult.map {
    run.expect(counts.counted, count, "timers fired")
    run.report(count, ["outstanding": "\(count)"])
  }
}

/// A million timers armed; again and again the oldest is cancelled and another put in its place. Few operations: the
/// loop finds a cancelled timer by searching its queue from the front.
func timerCancel(_ run: Run, _ loop: any EventLoop) throws -> EventLoopFuture<Void> {
  let outstanding = run.scaled(1_000_000)
  let operations = max(1, outstanding / 5000)
  let counts = Counts()
  let callback = Callback(counts)
  var random = Generator(seed: 1)
  func arm() throws -> NIOScheduledCallback {
    let nanoseconds = 3_600_000_000_000 + Int64(random.next() % 3_600_000_000_000)
    return try loop.scheduleCallback(in: .nanoseconds(nanoseconds), handler: callback)
  }
  var timers: [NIOScheduledCallback] = []
  timers.reserveCapacity(outstanding + operations)
  for _ in 0..<outstanding { timers.append(try arm()) }
  run.start()
  for i in 0..<operations {
    timers[i].cancel()
    timers.append(try arm())
  }
  run.stop()
  run.expect(counts.finished, operations, "timers cancelled")
  run.expect(counts.counted, 0, "timers fired")
  run.report(operations, ["outstanding": "\(outstanding)"])
  return loop.makeSucceededVoidFuture()
}
