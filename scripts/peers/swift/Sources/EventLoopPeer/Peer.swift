// Our event loop, one loop, installed as the default executor. Sleeps and timers are the loop's own; channels, mutex
// and sockets are its own; everything else is the code that the default executor runs.
import EventLoop
import Measure
import TaskRows

func row(_ name: String, _ body: @escaping @Sendable (Run) async throws -> Void) -> Row {
  Row(name) { run in
    do { try EventLoops.run(count: workers) { try await body(run) } } catch { run.fail("\(error)") }
  }
}

var workers: Int { environment("PEER_WORKERS").flatMap { Int($0) } ?? 1 }

func roundTrips(_ run: Run, capacity: Int) async throws {
  let trips = run.scaled(500_000)
  let warm = trips / 10 + 1
  let out = AsyncChannel<Int>(capacity: capacity)
  let back = AsyncChannel<Int>(capacity: capacity)
  let echo = Task {
    while let value = try await out.receive() { try await back.send(value + 1) }
  }
  var sum = 0
  for i in 0..<warm + trips {
    if i == warm { run.start() }
    try await out.send(i)
    guard let reply = try await back.receive() else { run.fail("the channel ended early") }
    sum += reply - i
  }
  run.stop()
  out.close()
  try await echo.value
  run.expect(sum, warm + trips, "replies")
  run.report(trips)
}

/// What two tasks do in turns. Unchecked: guarded by `mutex`.
final class Contended: @unchecked Sendable {
  let mutex = AsyncMutex()
  var acquisitions = 0
  var handovers = 0
  var owner = 0
}

func mutexRow(_ run: Run) async throws {
  let each = run.scaled(500_000) / 2 + 1
  let shared = Contended()
  let contend: @Sendable (Int) async throws -> Void = { contender in
    for _ in 0..<each {
      try await shared.mutex.withLock {
        shared.acquisitions += 1
        if shared.owner != contender { shared.handovers += 1 }
        shared.owner = contender
        await Task.yield()
      }
      await Task.yield()
    }
  }
  run.start()
  let first = Task { try await contend(1) }
  let second = Task { try await contend(2) }
  try await first.value
  try await second.value
  run.stop()
  run.expect(shared.acquisitions, each * 2, "acquisitions")
  run.reportHandovers(shared.handovers, acquisitions: shared.acquisitions)
}

func echo(_ run: Run, connections: Int) async throws {
  let listener = try Listener(backlog: 4096)
  let port = try listener.port
  announce("{\"port\":\(port)}")
  run.start()
  let echoed = try await withThrowingTaskGroup(of: Int.self) { group in
    for _ in 0..<connections {
      let stream = try await listener.accept()
      group.addTask {
        defer { stream.close() }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)
        defer { buffer.deallocate() }
        var bytes = 0
        while true {
          let count = try await stream.read(into: buffer)
          if count == 0 { return bytes }
          try await stream.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
          bytes += count
        }
      }
    }
    return try await group.reduce(0, +)
  }
  run.stop()
  listener.close()
  run.report(echoed / 64)
}

@main
struct Peer {
  static func main() {
    let sleep: Sleep = { try await EventLoop.sleep(for: .nanoseconds($0)) }
    runPeer(
      "event-loop",
      [
        row("continuation-switch", continuationSwitch),
        row("yield-2") { await yieldAmong(2, $0) },
        row("yield-1k") { await yieldAmong(1000, $0) },
        row("yield-100k") { await yieldAmong(100_000, $0) },
        row("spawn-join", spawnJoin),
        row("spawn-join-batch", spawnJoinBatch),
        row("channel") { try await roundTrips($0, capacity: 1) },
        row("channel-unbuffered") { try await roundTrips($0, capacity: 0) },
        row("mutex", mutexRow),
        row("sleep-overshoot") { await sleepOvershoot($0, sleep) },
        row("timer-sleep") { await timerSleep($0, sleep) },
        row("sleep-fire") { await sleepFire($0, sleep) },
        row("sleep-cancel") { run in
          await sleepCancel(run, sleep) {
            run.expect(EventLoop.current?.pendingTimers ?? -1, 0, "timers left in the loop")
          }
        },
        row("timer-fire", timerFire),
        row("timer-cancel", timerCancel),
        row("tree", tree),
        row("tree-all", tree),
        row("continuation-switch-all", continuationSwitch),
        row("yield-2-all") { await yieldAmong(2, $0) },
        row("spawn-join-all", spawnJoin),
        row("parked", parked),
        row("echo-pair") { try await echo($0, connections: 1) },
        row("echo-1k") { try await echo($0, connections: 1000) },
      ])
  }
}
