// Timers, and the echo on read sources. One-shot waits are timer sources with no leeway: `asyncAfter` allows itself one.
import Dispatch
import Glibc
import Measure

/// A timer source that calls `body` on `queue` once, `nanoseconds` from now.
func timer(_ queue: DispatchQueue, in nanoseconds: Int, _ body: @escaping @Sendable () -> Void)
  -> any DispatchSourceTimer
{
  let source = DispatchSource.makeTimerSource(flags: .strict, queue: queue)
  source.schedule(deadline: .now() + .nanoseconds(nanoseconds), leeway: .nanoseconds(0))
  source.setEventHandler(handler: body)
  source.activate()
  return source
}

/// Keeps what must live as long as the row. Unchecked: used on one serial queue.
private final class State: @unchecked Sendable {
  var late: [UInt64] = []
  var timer: (any DispatchSourceTimer)?
  var sources: [any DispatchSourceRead] = []
  var bytes = 0
  var open = 0
}

func sleepOvershoot(_ run: Run) {
  let count = run.scaled(1000)
  let queue = DispatchQueue(label: "sleeper")
  let state = State()
  let done = DispatchSemaphore(value: 0)
  @Sendable func next() {
    if state.late.count == count {
      run.stop()
      done.signal()
      return
    }
    let begun = monotonicNanoseconds()
    state.timer = timer(queue, in: 1_000_000) {
      state.late.append(run.overshoot(since: begun))
      next()
    }
  }
  run.start()
  queue.async { next() }
  done.wait()
  run.reportOvershoot(state.late)
}

func timerSleep(_ run: Run) {
  let units = 1000
  let rounds = run.scaled(300)
  let counts = Counts()
  let all = DispatchGroup()
  run.start()
  for _ in 0..<units {
    all.enter()
    let source = DispatchSource.makeTimerSource(flags: .strict, queue: pool)
    // The handlers of one source never overlap; each arms the next sleep.
    nonisolated(unsafe) var left = rounds
    source.setEventHandler {
      counts.count()
      left -= 1
      if left > 0 {
        source.schedule(deadline: .now() + .milliseconds(1), leeway: .nanoseconds(0))
      } else {
        source.cancel()
        all.leave()
      }
    }
    source.schedule(deadline: .now() + .milliseconds(1), leeway: .nanoseconds(0))
    source.activate()
  }
  all.wait()
  run.stop()
  run.expect(counts.total, units * rounds, "sleeps")
  run.report(units * rounds)
}

func timerFire(_ run: Run) {
  let count = run.scaled(1_000_000)
  let counts = Counts()
  let done = DispatchSemaphore(value: 0)
  var random = Generator(seed: 1)
  run.start()
  for _ in 0..<count {
    let nanoseconds = 1_000_000_000 + Int(random.next() % 1_000_000_000)
    pool.asyncAfter(deadline: .now() + .nanoseconds(nanoseconds)) {
      counts.count()
      if counts.finish() == count { done.signal() }
    }
  }
  done.wait()
  run.stop()
  run.expect(counts.total, count, "timers fired")
  run.report(count, ["outstanding": "\(count)"])
}

/// A million timers armed; again and again the oldest is cancelled and another put in its place.
func timerCancel(_ run: Run) {
  let outstanding = run.scaled(1_000_000)
  let operations = outstanding / 2
  let counts = Counts()
  let queue = DispatchQueue(label: "timers")
  var random = Generator(seed: 1)
  func arm() -> any DispatchSourceTimer {
    timer(queue, in: 3_600_000_000_000 + Int(random.next() % 3_600_000_000_000)) { counts.count() }
  }
  var timers: [any DispatchSourceTimer] = []
  timers.reserveCapacity(outstanding)
  for _ in 0..<outstanding { timers.append(arm()) }
  queue.sync {}
  run.start()
  for i in 0..<operations {
    let slot = i % outstanding
    timers[slot].cancel()
    timers[slot] = arm()
  }
  // Sources are armed and cancelled on Dispatch's own threads: the last are done when the queue has caught up.
  queue.sync {}
  run.stop()
  run.expect(timers.count { !$0.isCancelled }, outstanding, "timers outstanding")
  for timer in timers { timer.cancel() }
  run.expect(counts.total, 0, "timers fired")
  run.report(operations, ["outstanding": "\(outstanding)"])
}

/// Calls that do not block, and a read source for each connection, all on one serial queue.
func echo(_ run: Run, connections: Int) {
  let queue = DispatchQueue(label: "sockets")
  let state = State()
  let done = DispatchSemaphore(value: 0)
  let listener = listenOnLoopback(run)
  run.start()
  for _ in 0..<connections {
    let connection = accept(listener, nil, nil)
    var on: Int32 = 1
    guard connection >= 0, setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4) == 0 else {
      run.fail("accept failed: errno \(errno)")
    }
    queue.sync {
      let source = DispatchSource.makeReadSource(fileDescriptor: connection, queue: queue)
      source.setEventHandler {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { buffer in
          let count = recv(connection, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
          if count > 0 {
            let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
            guard send(connection, buffer.baseAddress, count, flags) == count else {
              run.fail("short write")
            }
            state.bytes += count
          } else if count == 0 || errno != EAGAIN {
            source.cancel()
          }
        }
      }
      source.setCancelHandler {
        close(connection)
        state.open -= 1
        if state.open == 0 { done.signal() }
      }
      state.open += 1
      // Until all have been accepted none may be the last.
      if state.sources.isEmpty { state.open += 1 }
      state.sources.append(source)
      source.activate()
    }
  }
  queue.sync {
    state.open -= 1
    if state.open == 0 { done.signal() }
  }
  done.wait()
  run.stop()
  run.report(state.bytes / 64)
}

private func listenOnLoopback(_ run: Run) -> Int32 {
  let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let bound = withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
      bind(listener, generic, length) == 0 && listen(listener, 4096) == 0
        && getsockname(listener, generic, &length) == 0
    }
  }
  guard listener >= 0, bound else { run.fail("cannot listen on loopback: errno \(errno)") }
  announce("{\"port\":\(UInt16(bigEndian: address.sin_port))}")
  return listener
}
