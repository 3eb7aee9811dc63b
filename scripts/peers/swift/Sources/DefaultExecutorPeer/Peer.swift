// Swift's default executor: tasks on Dispatch's pool, whose width follows the processors that the process may use (one
// under `taskset -c N`). Its channel is swift-async-algorithms' AsyncChannel, which is unbuffered.
import AsyncAlgorithms
import Dispatch
import Measure
import TaskRows

/// Runs a row as a task of the pool, while the main thread waits: code on the main actor would hop for every step.
func row(_ name: String, _ body: @escaping @Sendable (Run) async -> Void) -> Row {
  Row(name) { run in
    let done = DispatchSemaphore(value: 0)
    Task.detached {
      await body(run)
      done.signal()
    }
    done.wait()
  }
}

func roundTrips(_ run: Run) async {
  let trips = run.scaled(100_000)
  let warm = trips / 10 + 1
  let out = AsyncChannel<Int>()
  let back = AsyncChannel<Int>()
  let echo = Task {
    for await value in out { await back.send(value + 1) }
    back.finish()
  }
  var replies = back.makeAsyncIterator()
  var sum = 0
  for i in 0..<warm + trips {
    if i == warm { run.start() }
    await out.send(i)
    guard let reply = await replies.next() else { run.fail("the channel ended early") }
    sum += reply - i
  }
  run.stop()
  out.finish()
  await echo.value
  run.expect(sum, warm + trips, "replies")
  run.report(trips)
}

@main
struct Peer {
  static func main() {
    let sleep: Sleep = { try await Task.sleep(for: .nanoseconds($0), tolerance: .zero) }
    runPeer(
      "default-executor",
      [
        row("continuation-switch", continuationSwitch),
        row("yield-2") { await yieldAmong(2, $0) },
        row("yield-1k") { await yieldAmong(1000, $0) },
        row("yield-100k") { await yieldAmong(100_000, $0) },
        row("spawn-join", spawnJoin),
        row("spawn-join-batch", spawnJoinBatch),
        row("channel-unbuffered", roundTrips),
        row("sleep-overshoot") { await sleepOvershoot($0, sleep) },
        row("timer-sleep") { await timerSleep($0, sleep) },
        row("sleep-fire") { await sleepFire($0, sleep) },
        row("sleep-cancel") { await sleepCancel($0, sleep) },
        row("tree", tree),
        row("tree-all", tree),
        row("continuation-switch-all", continuationSwitch),
        row("yield-2-all") { await yieldAmong(2, $0) },
        row("spawn-join-all", spawnJoin),
        row("parked", parked),
      ])
  }
}
