// A pool of threads for work items that block.
//
// Each idle thread sleeps on a semaphore of its own and is handed its item before it is woken: one wake-up an item, and
// no herd that races for a queue. A condition variable would do the same, but its waiters take the mutex again when
// they wake, and glibc marks a mutex so taken as contended: its release is a system call that wakes nobody, nine more
// for a request of eight. The thread that went idle last is taken first, since its stack is still in the caches.
//
// The pool grows when no thread is idle, and stops at a limit that the workload derives from its own bounds, so that
// items which wait for other items always leave threads for those.

import Workloads

/// Sendable because `state` is only touched under `lock`.
final class ThreadPool: @unchecked Sendable {
  private typealias Item = (body: @Sendable (Int) -> Void, index: Int)

  /// A thread's place in the pool. Sendable because `item` is written by whoever took the worker off the idle list,
  /// and read by its thread after the semaphore that follows.
  private final class Worker: @unchecked Sendable {
    let wake = Semaphore()
    var item: Item?
  }

  private struct State {
    var threads: [Thread] = []
    /// Threads, and those that are being created.
    var size = 0
    var idle: [Worker] = []
    var queue = FIFO<Item>()
    var isClosed = false
  }

  private let lock = Lock()
  private var state = State()
  private let limit: Int
  private let onFailure: @Sendable (ModelFailure) -> Void

  /// - Parameters:
  ///   - limit: the most threads at once; further items queue.
  ///   - onFailure: called when the system refuses a thread. The item stays in the queue.
  init(limit: Int, onFailure: @escaping @Sendable (ModelFailure) -> Void) {
    self.limit = limit
    self.onFailure = onFailure
  }

  /// How many threads the pool has grown to.
  var size: Int { lock.withLock { state.size } }

  /// Starts `count` work items, all under one acquisition of the lock; each gets its index.
  func start(_ count: Int = 1, _ body: @escaping @Sendable (Int) -> Void) {
    let (woken, wanted) = lock.withLock {
      let woken = Array(state.idle.suffix(count))
      state.idle.removeLast(woken.count)
      for index in woken.count..<count { state.queue.append((body, index)) }
      let wanted = min(count - woken.count, limit - state.size)
      state.size += wanted
      return (woken, wanted)
    }
    for (index, worker) in woken.reversed().enumerated() {
      worker.item = (body, index)
      worker.wake.post()
    }
    for _ in 0..<wanted { grow() }
  }

  /// Adds a thread that `start` has counted already.
  private func grow() {
    do throws(ModelFailure) {
      let thread = try Thread(running: size - 1) { self.work() }
      lock.withLock { state.threads.append(thread) }
    } catch {
      lock.withLock { state.size -= 1 }
      onFailure(error)
    }
  }

  private func work() {
    let worker = Worker()
    while let item = next(worker) { item.body(item.index) }
  }

  /// The next item for a thread, waiting for it; nil when the pool has closed.
  private func next(_ worker: Worker) -> Item? {
    let (item, waits): (Item?, Bool) = lock.withLock {
      if let item = state.queue.popFirst() { return (item, false) }
      if state.isClosed { return (nil, false) }
      state.idle.append(worker)
      return (nil, true)
    }
    guard waits else { return item }
    worker.wake.wait()
    return worker.item.take()
  }

  /// Finishes what has been started and joins the threads. Nothing may be started any more.
  func close() {
    let (idle, threads) = lock.withLock {
      state.isClosed = true
      defer { state.idle = [] }
      return (state.idle, state.threads)
    }
    for worker in idle { worker.wake.post() }
    for thread in threads { thread.join() }
  }
}
