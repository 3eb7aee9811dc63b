// Our green threads, one worker. PEER_EXCLUSIVITY=off turns the hand-over of exclusive accesses off: a peer of its own
// in the table, `green-threads-no-handover`. Rows of parked and sleeping units are in Waiting.swift.
import GreenThreads
import Measure

/// Nil unless set.
let exclusivity = environment("PEER_EXCLUSIVITY")

/// Runs a row as the root unit.
func row(_ name: String, _ body: @escaping @Sendable (Run) throws -> Void) -> Row {
  Row(name) { run in
    var configuration = Scheduler.Configuration(workers: environment("PEER_WORKERS").flatMap { Int($0) } ?? 1)
    configuration.handsOverExclusiveAccesses = exclusivity != "off"
    do { try Scheduler.run(configuration) { try body(run) } } catch { run.fail("\(error)") }
  }
}

/// What the units of one row count together. Unchecked: rows that use it have one worker, and nothing preempts a unit.
final class Counts: @unchecked Sendable {
  var started = 0
  var finished = 0
  var counted = 0
}

func yieldAmong(_ units: Int, _ run: Run) throws {
  let rounds = max(1, run.scaled(units > 1000 ? 2_000_000 : 25_000_000) / units)
  let counts = Counts()
  var all = JoinSet<Void>()
  for _ in 0..<units {
    try all.spawn {
      counts.started += 1
      if counts.started == units { run.start() }
      while counts.started < units { yield() }
      for _ in 0..<rounds { yield() }
      counts.counted += rounds
      counts.finished += 1
      if counts.finished == units { run.stop() }
    }
  }
  while try all.joinNext() != nil {}
  run.expect(counts.counted, units * rounds, "yields")
  run.report(units * rounds)
}

func spawnJoin(_ run: Run) throws {
  let count = run.scaled(3_000_000)
  let warm = count / 10 + 1
  let counts = Counts()
  for i in 0..<warm + count {
    if i == warm { run.start() }
    try spawn { counts.counted += 1 }.join()
  }
  run.stop()
  run.expect(counts.counted, warm + count, "units run")
  run.report(count)
}

func spawnJoinBatch(_ run: Run) throws {
  let batch = 1000
  let batches = run.scaled(2000)
  let warm = batches / 10 + 1
  let counts = Counts()
  for i in 0..<warm + batches {
    if i == warm { run.start() }
    var units = JoinSet<Void>()
    for _ in 0..<batch { try units.spawn { counts.counted += 1 } }
    while try units.joinNext() != nil {}
  }
  run.stop()
  run.expect(counts.counted, (warm + batches) * batch, "units run")
  run.report(batches * batch)
}

func roundTrips(_ run: Run, capacity: Int) throws {
  let trips = run.scaled(4_000_000)
  let warm = trips / 10 + 1
  let out = Channel<Int>(capacity: capacity)
  let back = Channel<Int>(capacity: capacity)
  let echo = try spawn {
    while let value = try out.receive() { try back.send(value + 1) }
  }
  var sum = 0
  for i in 0..<warm + trips {
    if i == warm { run.start() }
    try out.send(i)
    guard let reply = try back.receive() else { run.fail("the channel ended early") }
    sum += reply - i
  }
  run.stop()
  out.close()
  try echo.join()
  run.expect(sum, warm + trips, "replies")
  run.report(trips)
}

/// What two units do in turns. Unchecked: guarded by `mutex`.
final class Contended: @unchecked Sendable {
  let mutex = Mutex()
  var acquisitions = 0
  var handovers = 0
  var owner = 0
}

func mutexRow(_ run: Run) throws {
  let each = run.scaled(3_000_000) / 2 + 1
  let shared = Contended()
  func contend(_ contender: Int) throws {
    for _ in 0..<each {
      try shared.mutex.lock()
      shared.acquisitions += 1
      if shared.owner != contender { shared.handovers += 1 }
      shared.owner = contender
      yield()
      shared.mutex.unlock()
      yield()
    }
  }
  run.start()
  let first = try spawn { try contend(1) }
  let second = try spawn { try contend(2) }
  try first.join()
  try second.join()
  run.stop()
  run.expect(shared.acquisitions, each * 2, "acquisitions")
  run.reportHandovers(shared.handovers, acquisitions: shared.acquisitions)
}

func tree(_ run: Run) throws {
  let size = run.treeLeaves
  run.start()
  let sum = try spawn { try leaves(first: 0, size: size) }.join()
  run.stop()
  run.expect(sum, size * (size - 1) / 2, "as the sum of the leaves")
  run.report(size)
}

func leaves(first: Int, size: Int) throws -> Int {
  if size == 1 { return first }
  let part = size / 10
  var children = JoinSet<Int>()
  for i in 0..<10 { try children.spawn { try leaves(first: first + i * part, size: part) } }
  var sum = 0
  while let value = try children.joinNext() { sum += value }
  return sum
}

func echo(_ run: Run, connections: Int) throws {
  let listener = try Descriptor.listen(backlog: 4096)
  announce("{\"port\":\(listener.port)}")
  run.start()
  var units = JoinSet<Int>()
  for _ in 0..<connections {
    let connection = try listener.accept()
    try units.spawn {
      defer { connection.close() }
      return try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { buffer in
        var bytes = 0
        while true {
          let count = try connection.read(into: buffer)
          if count == 0 { return bytes }
          try connection.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
          bytes += count
        }
      }
    }
  }
  var echoed = 0
  while let bytes = try units.joinNext() { echoed += bytes }
  run.stop()
  run.report(echoed / 64)
}

@main
struct Peer {
  static func main() {
    runPeer(
      exclusivity == "off" ? "green-threads-no-handover" : "green-threads",
      [
        row("yield-2") { try yieldAmong(2, $0) },
        row("yield-1k") { try yieldAmong(1000, $0) },
        row("yield-100k") { try yieldAmong(100_000, $0) },
        row("spawn-join", spawnJoin),
        row("spawn-join-batch", spawnJoinBatch),
        row("channel") { try roundTrips($0, capacity: 1) },
        row("channel-unbuffered") { try roundTrips($0, capacity: 0) },
        row("mutex", mutexRow),
        row("sleep-overshoot", sleepOvershoot),
        row("timer-sleep", timerSleep),
        row("timer-cancel", timerCancel),
        row("timer-fire", timerFire),
        row("timeout", timeouts),
        row("sleep-fire", sleepFire),
        row("sleep-cancel", sleepCancel),
        row("tree", tree),
        row("tree-all", tree),
        row("parked", parked),
        row("echo-pair") { try echo($0, connections: 1) },
        row("echo-1k") { try echo($0, connections: 1000) },
      ])
  }
}
