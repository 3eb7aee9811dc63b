// Tasks that sleep. The sleep is an argument: `Task.sleep` on the default executor, the loop's own on ours.
import Measure
import Synchronization

/// Nanoseconds to sleep; throws when the task is cancelled.
public typealias Sleep = @Sendable (Int) async throws -> Void

public func sleepOvershoot(_ run: Run, _ sleep: Sleep) async {
  var late: [UInt64] = []
  run.start()
  for _ in 0..<run.scaled(1000) {
    let begun = monotonicNanoseconds()
    do { try await sleep(1_000_000) } catch { run.fail("\(error)") }
    late.append(run.overshoot(since: begun))
  }
  run.stop()
  run.reportOvershoot(late)
}

public func timerSleep(_ run: Run, _ sleep: @escaping Sleep) async {
  let units = 1000
  let rounds = run.scaled(300)
  let counts = Counts()
  run.start()
  await withDiscardingTaskGroup { group in
    for _ in 0..<units {
      group.addTask {
        for _ in 0..<rounds {
          do { try await sleep(1_000_000) } catch { run.fail("\(error)") }
        }
        counts.count(rounds)
      }
    }
  }
  run.stop()
  run.expect(counts.total, units * rounds, "sleeps")
  run.report(units * rounds)
}

/// A million tasks that sleep 1 to 2 seconds, all asleep at once. Not the children of a group: to remove one that ends
/// out of turn a group searches through all that are alive.
public func sleepFire(_ run: Run, _ sleep: @escaping Sleep) async {
  let count = run.scaled(1_000_000)
  let counts = Counts()
  var random = Generator(seed: 1)
  var tasks: [Task<Void, Never>] = []
  tasks.reserveCapacity(count)
  run.start()
  for _ in 0..<count {
    let nanoseconds = 1_000_000_000 + Int(random.next() % 1_000_000_000)
    tasks.append(
      Task {
        do { try await sleep(nanoseconds) } catch { run.fail("\(error)") }
        counts.count(1)
      })
  }
  for task in tasks { await task.value }
  run.stop()
  run.expect(counts.total, count, "sleeps")
  run.report(count, ["outstanding": "\(count)"])
}

/// A million tasks asleep; again and again the oldest is cancelled and awaited, and another put in its place.
public func sleepCancel(_ run: Run, _ sleep: @escaping Sleep, check: @Sendable () -> Void = {}) async {
  let outstanding = run.scaled(1_000_000)
  let operations = outstanding / 2
  let counts = Counts()
  var random = Generator(seed: 1)
  func spawn() -> Task<Void, Never> {
    let nanoseconds = 3_600_000_000_000 + Int(random.next() % 3_600_000_000_000)
    return Task {
      _ = counts.start()
      do { try await sleep(nanoseconds) } catch { counts.count(1) }
    }
  }
  var sleepers: [Task<Void, Never>] = []
  sleepers.reserveCapacity(outstanding)
  for _ in 0..<outstanding { sleepers.append(spawn()) }
  while counts.started.load(ordering: .relaxed) < outstanding { await Task.yield() }
  run.start()
  for i in 0..<operations {
    let slot = i % outstanding
    sleepers[slot].cancel()
    await sleepers[slot].value
    sleepers[slot] = spawn()
  }
  run.stop()
  for sleeper in sleepers { sleeper.cancel() }
  for sleeper in sleepers { await sleeper.value }
  run.expect(counts.total, outstanding + operations, "sleeps cancelled")
  check()
  run.report(operations, ["outstanding": "\(outstanding)"])
}
