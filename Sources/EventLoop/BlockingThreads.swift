// The hop to threads that may block: file system, DNS, C libraries. A loop must never wait in a system call, so such
// work goes to a bounded set of threads, started one by one as work finds none idle, and the task resumes on its loop.
// Work beyond the bound queues in order of arrival; the tasks that wait for it are its limit.
import Glibc

extension EventLoops {
  /// Runs `work` on a thread that may block, while the calling task waits.
  ///
  /// - Throws: what `work` throws; `CancellationError` if the task is cancelled before `work` has begun (once begun, it
  ///   runs to its end); `LoopError` if not one thread can be started.
  public static func blocking<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
    guard let pool = current?.pool else { throw LoopError.notRunning }
    let result = Guarded<Result<T, any Error>?>(nil)
    let box = Box(result)
    let item = BlockingThreads.Item { box.result.withLock { $0 = Result(catching: work) } }
    let waiter = WaiterReference(node: Waiter.make())
    defer { Waiter.free(waiter.node) }
    item.waiter = waiter
    let failure = Guarded<LoopError?>(nil)
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        Waiter.prepare(waiter.node, continuation)
        do throws(LoopError) {
          if try !pool.submit(item) { continuation.resume() }
        } catch {
          failure.withLock { $0 = error }
          continuation.resume()
        }
      }
    } onCancel: {
      if pool.withdraw(item) { Waiter.resume(waiter.node) }
    }
    if let error = failure.withLock({ $0 }) { throw error }
    guard let result = box.result.withLock({ $0 }) else { throw CancellationError() }
    return try result.get()
  }

  private final class Box<T: Sendable>: Sendable {
    let result: Guarded<Result<T, any Error>?>
    init(_ result: consuming Guarded<Result<T, any Error>?>) { self.result = result }
  }
}

/// A bounded set of threads and the queue that they share.
final class BlockingThreads: @unchecked Sendable {
  /// One piece of work. Unchecked: `state` under the pool's lock; `waiter` is set before it is submitted.
  final class Item: @unchecked Sendable {
    enum State { case new, queued, begun, withdrawn }

    var state = State.new
    var waiter: WaiterReference?
    let work: @Sendable () -> Void

    init(_ work: @escaping @Sendable () -> Void) { self.work = work }
  }

  private let limit: Int
  // A condition variable rather than one futex per thread: blocking work is worth far more than the difference, and
  // the sanitizers understand it. Unchecked for these: all below is guarded by `mutex`.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let arrived: UnsafeMutablePointer<pthread_cond_t>
  private var queue: [Item] = []
  private var head = 0
  private var idle = 0
  private var threads: [pthread_t] = []
  private var isShutDown = false

  init(limit: Int) {
    self.limit = max(1, limit)
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    arrived = .allocate(capacity: 1)
    arrived.initialize(to: pthread_cond_t())
    pthread_cond_init(arrived, nil)
  }

  deinit {
    pthread_cond_destroy(arrived)
    arrived.deallocate()
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  private func locked<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// False: it was withdrawn before, and will not run.
  func submit(_ item: Item) throws(LoopError) -> Bool {
    try locked { () throws(LoopError) in
      if item.state == .withdrawn { return false }
      if isShutDown { throw .notRunning }
      if queue.count - head >= idle, threads.count < limit {
        do throws(LoopError) {
          threads.append(try startThread(named: "blocking-\(threads.count)") { self.serve() })
        } catch {
          // With threads at work it gets its turn; with none it would wait for ever.
          if threads.isEmpty { throw error }
        }
      }
      item.state = .queued
      queue.append(item)
      pthread_cond_signal(arrived)
      return true
    }
  }

  /// True: it waited in the queue, and the caller must resume its task.
  func withdraw(_ item: Item) -> Bool {
    locked {
      let waited = item.state == .queued
      if waited || item.state == .new { item.state = .withdrawn }
      return waited
    }
  }

  /// Lets work that has begun and work in the queue end, and joins the threads.
  func shutDown() {
    let threads = locked {
      isShutDown = true
      pthread_cond_broadcast(arrived)
      return self.threads
    }
    for thread in threads { pthread_join(thread, nil) }
  }

  private func serve() {
    while let item = next() {
      item.work()
      if let waiter = item.waiter { Waiter.resume(waiter.node) }
    }
  }

  /// Waits for the oldest work that has not been withdrawn; nil when shut down and empty.
  private func next() -> Item? {
    locked {
      while true {
        while head < queue.count {
          let item = queue[head]
          head += 1
          if head >= 64, head * 2 >= queue.count {
            queue.removeFirst(head)
            head = 0
          }
          if item.state == .queued {
            item.state = .begun
            return item
          }
        }
        if isShutDown { return nil }
        idle += 1
        pthread_cond_wait(arrived, mutex)
        idle -= 1
      }
    }
  }
}
