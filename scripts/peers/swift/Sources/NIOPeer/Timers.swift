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
  let rounds = run.scaled(100)
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

func timerFire(_ run: Run, _ loop: any EventLoop) -> EventLoopFuture<Void> {
  let count = run.scaled(1_000_000)
  let counts = Counts()
  let done = loop.makePromise(of: Void.self)
  var random = Generator(seed: 1)
  run.start()
  for _ in 0..<count {
    loop.scheduleTask(in: .nanoseconds(1_000_000_000 + Int64(random.next() % 1_000_000_000))) {
      counts.counted += 1
      if counts.counted == count {
        run.stop()
        done.succeed(())
      }
    }
  }
  return done.futureResult.map {
    run.expect(counts.counted, count, "timers fired")
    run.report(count, ["outstanding": "\(count)"])
  }
}

/// A million timers armed; again and again the oldest is cancelled and another put in its place. Few operations: the
/// loop finds a cancelled task by searching its queue from the front.
func timerCancel(_ run: Run, _ loop: any EventLoop) -> EventLoopFuture<Void> {
  let outstanding = run.scaled(1_000_000)
  let operations = max(1, outstanding / 5000)
  let counts = Counts()
  var random = Generator(seed: 1)
  func arm() -> Scheduled<Void> {
    loop.scheduleTask(in: .nanoseconds(3_600_000_000_000 + Int64(random.next() % 3_600_000_000_000))) {
      counts.started += 1
    }
  }
  var timers: [Scheduled<Void>] = []
  timers.reserveCapacity(outstanding + operations)
  for _ in 0..<outstanding { timers.append(arm()) }
  run.start()
  for i in 0..<operations {
    timers[i].cancel()
    timers.append(arm())
  }
  run.stop()
  for timer in timers { timer.futureResult.whenFailure { _ in counts.counted += 1 } }
  run.expect(counts.counted, operations, "timers cancelled")
  run.expect(counts.started, 0, "timers fired")
  run.report(operations, ["outstanding": "\(outstanding)"])
  return loop.makeSucceededVoidFuture()
}
