// Tasks that are started and awaited: one at a time, in batches, as a tree, and by the million.
import Measure
import Synchronization

public func spawnJoin(_ run: Run) async {
  let count = run.scaled(600_000)
  let warm = count / 10 + 1
  let counts = Counts()
  for i in 0..<warm + count {
    if i == warm { run.start() }
    await Task { counts.count(1) }.value
  }
  run.stop()
  run.expect(counts.total, warm + count, "tasks run")
  run.report(count)
}

/// Children of a discarding group: a plain group takes longer to remove one, the more are alive.
public func spawnJoinBatch(_ run: Run) async {
  let batch = 1000
  let batches = run.scaled(300)
  let warm = batches / 10 + 1
  let counts = Counts()
  for i in 0..<warm + batches {
    if i == warm { run.start() }
    await withDiscardingTaskGroup { group in
      for _ in 0..<batch { group.addTask { counts.count(1) } }
    }
  }
  run.stop()
  run.expect(counts.total, (warm + batches) * batch, "tasks run")
  run.report(batches * batch)
}

public func tree(_ run: Run) async {
  let size = run.treeLeaves
  run.start()
  let sum = await leaves(first: 0, size: size)
  run.stop()
  run.expect(sum, size * (size - 1) / 2, "as the sum of the leaves")
  run.report(size)
}

private func leaves(first: Int, size: Int) async -> Int {
  if size == 1 { return first }
  return await withTaskGroup(of: Int.self) { group in
    let part = size / 10
    for i in 0..<10 { group.addTask { await leaves(first: first + i * part, size: part) } }
    var sum = 0
    for await value in group { sum += value }
    return sum
  }
}

/// Tasks that wait for a continuation.
public func parked(_ run: Run) async {
  let many = max(10, run.scaled(1_000_000))
  let counts = Counts()
  let waiting = Waiting(capacity: many)
  var tasks: [Task<Void, Never>] = []
  tasks.reserveCapacity(many)
  func park(until count: Int) async -> ParkedMemory {
    while tasks.count < count {
      tasks.append(
        Task {
          await waiting.park()
          counts.count(1)
        })
    }
    while waiting.count < count { await Task.yield() }
    return run.parkedMemory(count)
  }
  run.start()
  let few = await park(until: many / 10)
  let most = await park(until: many)
  run.stop()
  waiting.resumeAll()
  for task in tasks { await task.value }
  run.expect(counts.total, many, "tasks resumed")
  run.reportParked(few, most)
}

private final class Waiting: Sendable {
  private let continuations = Mutex<[UnsafeContinuation<Void, Never>]>([])

  /// With room for all of them from the start, so that growing the array is not counted.
  init(capacity: Int) { continuations.withLock { $0.reserveCapacity(capacity) } }

  var count: Int { continuations.withLock { $0.count } }

  func park() async {
    await withUnsafeContinuation { continuation in continuations.withLock { $0.append(continuation) } }
  }

  func resumeAll() {
    for continuation in continuations.withLock({ $0 }) { continuation.resume() }
  }
}
