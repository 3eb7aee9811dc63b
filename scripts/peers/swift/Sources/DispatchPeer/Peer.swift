// Dispatch: blocks on the global concurrent queue, groups, serial queues, timer and read sources. A unit that yields is
// a block that enqueues itself again; a channel is a serial queue that blocks are sent to. A block that waits holds its
// thread, so there is no row of parked units.
import Dispatch
import Measure
import Synchronization

/// The pool's width follows the processors that the process may use: one under `taskset -c N`.
let pool = DispatchQueue.global()

/// What blocks of one row count together. Atomic, since the pool may use several threads; relaxed, since the group's
/// wait orders the counts before they are read.
final class Counts: Sendable {
  let started = Atomic<Int>(0)
  let finished = Atomic<Int>(0)
  let counted = Atomic<Int>(0)

  func start() -> Int { started.add(1, ordering: .relaxed).newValue }
  func finish() -> Int { finished.add(1, ordering: .relaxed).newValue }
  func count(_ n: Int = 1) { counted.add(n, ordering: .relaxed) }
  var total: Int { counted.load(ordering: .relaxed) }
}

func yieldAmong(_ units: Int, _ run: Run) {
  let rounds = max(1, run.scaled(2_000_000) / units)
  let counts = Counts()
  let all = DispatchGroup()
  @Sendable func step(_ left: Int) {
    if left > 0 { return pool.async { step(left - 1) } }
    counts.count(rounds)
    if counts.finish() == units { run.stop() }
    all.leave()
  }
  @Sendable func wait() {
    if counts.started.load(ordering: .relaxed) < units { pool.async { wait() } } else { step(rounds) }
  }
  for _ in 0..<units {
    all.enter()
    pool.async {
      if counts.start() == units { run.start() }
      wait()
    }
  }
  all.wait()
  run.expect(counts.total, units * rounds, "yields")
  run.report(units * rounds)
}

func spawnJoin(_ run: Run) {
  let count = run.scaled(200_000)
  let warm = count / 10 + 1
  let counts = Counts()
  let group = DispatchGroup()
  for i in 0..<warm + count {
    if i == warm { run.start() }
    pool.async(group: group) { counts.count() }
    group.wait()
  }
  run.stop()
  run.expect(counts.total, warm + count, "blocks run")
  run.report(count)
}

func spawnJoinBatch(_ run: Run) {
  let batch = 1000
  let batches = run.scaled(1000)
  let warm = batches / 10 + 1
  let counts = Counts()
  let group = DispatchGroup()
  for i in 0..<warm + batches {
    if i == warm { run.start() }
    for _ in 0..<batch { pool.async(group: group) { counts.count() } }
    group.wait()
  }
  run.stop()
  run.expect(counts.total, (warm + batches) * batch, "blocks run")
  run.report(batches * batch)
}

func roundTrips(_ run: Run) {
  let trips = run.scaled(300_000)
  let warm = trips / 10 + 1
  let out = DispatchQueue(label: "out")
  let back = DispatchQueue(label: "back")
  let counts = Counts()
  let done = DispatchSemaphore(value: 0)
  @Sendable func send(_ i: Int) {
    if i == warm { run.start() }
    if i == warm + trips {
      run.stop()
      done.signal()
      return
    }
    out.async {
      let reply = i + 1
      back.async {
        counts.count(reply - i)
        send(reply)
      }
    }
  }
  back.async { send(0) }
  done.wait()
  run.expect(counts.total, warm + trips, "replies")
  run.report(trips)
}

func tree(_ run: Run) {
  let size = run.treeLeaves
  let done = DispatchSemaphore(value: 0)
  let total = Counts()
  /// Calls `completion` with the sum once all leaves below have been counted.
  @Sendable func leaves(_ first: Int, _ size: Int, _ completion: @escaping @Sendable (Int) -> Void) {
    if size == 1 { return completion(first) }
    let part = size / 10
    let sum = Counts()
    let group = DispatchGroup()
    for i in 0..<10 {
      group.enter()
      pool.async {
        leaves(first + i * part, part) { value in
          sum.count(value)
          group.leave()
        }
      }
    }
    group.notify(queue: pool) { completion(sum.total) }
  }
  run.start()
  pool.async {
    leaves(0, size) { value in
      total.count(value)
      run.stop()
      done.signal()
    }
  }
  done.wait()
  run.expect(total.total, size * (size - 1) / 2, "as the sum of the leaves")
  run.report(size)
}

@main
struct Peer {
  static func main() {
    runPeer(
      "dispatch",
      [
        Row("yield-2") { yieldAmong(2, $0) },
        Row("yield-1k") { yieldAmong(1000, $0) },
        Row("yield-100k") { yieldAmong(100_000, $0) },
        Row("spawn-join", spawnJoin),
        Row("spawn-join-batch", spawnJoinBatch),
        Row("channel", roundTrips),
        Row("sleep-overshoot", sleepOvershoot),
        Row("timer-sleep", timerSleep),
        Row("timer-fire", timerFire),
        Row("timer-cancel", timerCancel),
        Row("tree", tree),
        Row("tree-all", tree),
        Row("echo-pair") { echo($0, connections: 1) },
        Row("echo-1k") { echo($0, connections: 1000) },
      ])
  }
}
