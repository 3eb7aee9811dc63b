// The public entry: a program's main calls `EventLoops.run`, which turns the calling thread into loop 0, starts a
// thread for each other loop, and returns the body's result once all of them, and the blocking threads, are joined.
import CLinux
import Glibc
import Synchronization

public enum EventLoops {
  public static let maximumCount = 1024

  private static let running = Guarded<LoopSet?>(nil)

  /// The loops that run now. Whoever holds it may post to them even while they end.
  static var current: LoopSet? { running.withLock { $0 } }

  /// Runs `body` as a task on event loops and returns its result.
  ///
  /// Call it from a synchronous `main`, before anything else has used a task: the first call makes the loops the
  /// process's executors, for good. Between calls, and after the last, tasks do not run. `body` starts on loop 0, the
  /// calling thread; with `count` 1 that is the only thread of the process.
  ///
  /// When `body` has returned, the loops run what is ready and stop. Tasks that still wait then are abandoned, as at
  /// the end of any Swift program; their memory is not reclaimed. SIGPIPE is ignored from the first call on: writing
  /// to a closed pipe is an error, not a death.
  ///
  /// - Parameters:
  ///   - count: loops, each with a thread: 1 to `maximumCount`. One per processor is the idea.
  ///   - blockingThreads: the most threads that `blocking` may start. None is started before it is used.
  ///   - seed: if given, each loop runs its ready jobs in a pseudo-random order fixed by the seed. With one loop and
  ///     nothing from outside the process the interleaving is then the same in every run.
  /// - Throws: what `body` throws, or `LoopError` if loops or threads cannot be had.
  public static func run<T: Sendable>(
    count: Int = 1, blockingThreads: Int = 64, seed: UInt64? = nil, _ body: @escaping @Sendable () async throws -> T
  ) throws -> T {
    guard 1...maximumCount ~= count else { throw LoopError.loopCount(count) }
    _ = LoopExecutors.install
    let set = try running.withLock { current throws(LoopError) -> LoopSet in
      if current != nil { throw .alreadyRunning }
      let set = try LoopSet(count: count, blockingThreads: blockingThreads, seed: seed)
      current = set
      return set
    }
    defer { running.withLock { $0 = nil } }
    signal(SIGPIPE, SIG_IGN)
    return try set.run(body)
  }

  /// The running loops, in order of their index; empty outside `run`.
  public static var all: [EventLoop] { current?.loops ?? [] }

  /// The loops in turn, for spreading work.
  public static func next() -> EventLoop {
    guard let set = current else {
      preconditionFailure("no event loops are running: call this inside EventLoops.run")
    }
    return set.next()
  }

  /// The sum of all loops' counters.
  public static var counters: Counters { all.reduce(Counters()) { $0 + $1.counters } }
}

/// Loops that run together.
final class LoopSet: Sendable {
  let loops: [EventLoop]
  let pool: BlockingThreads
  // Relaxed: it spreads, and orders nothing.
  private let turn = Atomic<Int>(0)
  private let isStopped = Atomic<Bool>(false)

  init(count: Int, blockingThreads: Int, seed: UInt64?) throws(LoopError) {
    var loops: [EventLoop] = []
    for index in 0..<count {
      loops.append(try EventLoop(index: index, seed: seed.map { $0 &+ UInt64(index) }))
    }
    self.loops = loops
    pool = BlockingThreads(limit: blockingThreads)
  }

  func next() -> EventLoop {
    loops[Int(bitPattern: UInt(bitPattern: turn.wrappingAdd(1, ordering: .relaxed).oldValue) % UInt(loops.count))]
  }

  /// Any thread. The mail of each loop is used once, hence the flag (relaxed: it guards nothing else).
  func stop() {
    if isStopped.exchange(true, ordering: .relaxed) { return }
    for loop in loops { loop.stop() }
  }

  func run<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) throws -> T {
    let outcome = Outcome<T>()
    loops[0].adopt()
    defer { loops[0].leave() }

    var threads: [pthread_t] = []
    for loop in loops.dropFirst() {
      do {
        threads.append(
          try startThread(named: "loop-\(loop.index)") { [loop] in
            loop.adopt()
            loop.run()
            loop.leave()
          })
      } catch {
        stop()
        for thread in threads { pthread_join(thread, nil) }
        throw error
      }
    }
    startMain(body, outcome)
    loops[0].run()
    pool.shutDown()
    for thread in threads { pthread_join(thread, nil) }
    return try outcome.take()
  }

  private func startMain<T: Sendable>(_ body: @escaping @Sendable () async throws -> T, _ outcome: Outcome<T>) {
    Task {
      do { outcome.set(.success(try await body())) } catch { outcome.set(.failure(error)) }
      self.stop()
    }
  }
}

/// Where the main task leaves its result. Unchecked: the task writes once before it posts `stop` to loop 0, whose
/// thread reads after it has received that; the inbox orders the two.
private final class Outcome<T: Sendable>: @unchecked Sendable {
  private var result: Result<T, any Error>?

  func set(_ result: Result<T, any Error>) { self.result = result }

  func take() throws -> T {
    guard let result else { preconditionFailure("the loops stopped before the main task ended") }
    return try result.get()
  }
}

/// Starts a thread that must be joined.
func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(LoopError) -> pthread_t {
  final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(_ name: String, _ body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }
  }
  var thread = pthread_t()
  let start = Unmanaged.passRetained(Start(name, body))
  let result = pthread_create(
    &thread, nil,
    { argument in
      guard let argument else { return nil }
      let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
      _ = clinux_set_thread_name(start.name)
      start.body()
      return nil
    }, start.toOpaque())
  if result != 0 {
    start.release()
    throw .system(call: "pthread_create", errno: result)
  }
  return thread
}
