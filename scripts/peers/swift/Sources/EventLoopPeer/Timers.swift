// The loop's callback timers.
import EventLoop
import Measure

/// Counts on its loop only. Unchecked: so do the callbacks.
private final class Counts: @unchecked Sendable {
  var fired = 0
}

func timerFire(_ run: Run) async throws {
  guard let loop = EventLoop.current else { run.fail("not on a loop") }
  let count = run.scaled(1_000_000)
  let counts = Counts()
  let done = AsyncSemaphore(0)
  var random = Generator(seed: 1)
  run.start()
  for _ in 0..<count {
    loop.schedule(after: .nanoseconds(1_000_000_000 + Int64(random.next() % 1_000_000_000))) {
      counts.fired += 1
      if counts.fired == count {
        run.stop()
        done.release()
      }
    }
  }
  try await done.acquire()
  run.expect(counts.fired, count, "timers fired")
  run.expect(loop.pendingTimers, 0, "timers left in the loop")
  run.report(count, ["outstanding": "\(count)"])
}

/// A million timers armed; again and again the oldest is cancelled and another, a new one, put in its place.
func timerCancel(_ run: Run) async {
  guard let loop = EventLoop.current else { run.fail("not on a loop") }
  let outstanding = run.scaled(1_000_000)
  let operations = outstanding
  let counts = Counts()
  var random = Generator(seed: 1)
  func arm() -> EventLoop.Timer {
    loop.schedule(after: .nanoseconds(3_600_000_000_000 + Int64(random.next() % 3_600_000_000_000))) {
      counts.fired += 1
    }
  }
  var timers: [EventLoop.Timer] = []
  timers.reserveCapacity(outstanding)
  for _ in 0..<outstanding { timers.append(arm()) }
  var cancelled = 0
  run.start()
  for slot in 0..<operations {
    if timers[slot].cancel() { cancelled += 1 }
    timers[slot] = arm()
  }
  run.stop()
  run.expect(cancelled, operations, "timers cancelled")
  run.expect(loop.pendingTimers, outstanding, "timers armed")
  for timer in timers { timer.cancel() }
  run.expect(loop.pendingTimers, 0, "timers left in the loop")
  run.expect(counts.fired, 0, "timers fired")
  run.report(operations, ["outstanding": "\(outstanding)"])
}
