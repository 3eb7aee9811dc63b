// The rows that plain Swift concurrency can do. The default executor and our event loop run this very code; what
// differs is the executor underneath.
import Measure
import Synchronization

/// What tasks of one row count together. Atomic, since an executor may use several threads; relaxed, since joining the
/// tasks orders the counts before they are read.
final class Counts: Sendable {
  let started = Atomic<Int>(0)
  let finished = Atomic<Int>(0)
  let counted = Atomic<Int>(0)

  func start() -> Int { started.add(1, ordering: .relaxed).newValue }
  func finish() -> Int { finished.add(1, ordering: .relaxed).newValue }
  func count(_ n: Int) { counted.add(n, ordering: .relaxed) }
  var total: Int { counted.load(ordering: .relaxed) }
}

/// `units` tasks that yield in turn.
public func yieldAmong(_ units: Int, _ run: Run) async {
  let rounds = max(1, run.scaled(1_000_000) / units)
  let counts = Counts()
  var tasks: [Task<Void, Never>] = []
  for _ in 0..<units {
    tasks.append(
      Task {
        if counts.start() == units { run.start() }
        while counts.started.load(ordering: .relaxed) < units { await Task.yield() }
        for _ in 0..<rounds { await Task.yield() }
        counts.count(rounds)
        if counts.finish() == units { run.stop() }
      })
  }
  for task in tasks { await task.value }
  run.expect(counts.total, units * rounds, "yields")
  run.report(units * rounds)
}

/// Two tasks that resume each other's continuation. One switch is one of the two going on.
public func continuationSwitch(_ run: Run) async {
  let each = run.scaled(1_000_000)
  let warm = each / 10 + 1
  let seesaw = Seesaw()
  let first = Task {
    for i in 0..<warm + each {
      if i == warm { run.start() }
      await seesaw.pass()
    }
    run.stop()
    seesaw.leave()
  }
  // The second starts when the first waits: until then the seesaw has nobody to resume.
  while !seesaw.isOccupied.load(ordering: .acquiring) { await Task.yield() }
  let second = Task {
    for _ in 0..<warm + each { await seesaw.pass() }
    seesaw.leave()
  }
  await first.value
  await second.value
  run.expect(seesaw.passes, 2 * (warm + each), "switches")
  run.report(2 * each)
}

/// The continuation of the one of two tasks that waits. Unchecked: only the task that runs touches it, and resuming
/// the other hands that right over; `isOccupied` hands it to the second task at the start.
private final class Seesaw: @unchecked Sendable {
  private var waiting: UnsafeContinuation<Void, Never>?
  private(set) var passes = 0
  let isOccupied = Atomic<Bool>(false)

  func pass() async {
    await withUnsafeContinuation { continuation in
      let other = waiting
      waiting = continuation
      passes += 1
      if let other {
        other.resume()
      } else {
        isOccupied.store(true, ordering: .releasing)
      }
    }
  }

  func leave() {
    let other = waiting
    waiting = nil
    other?.resume()
  }
}
