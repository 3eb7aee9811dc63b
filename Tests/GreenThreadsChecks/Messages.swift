// What is said before the process ends, or instead of hanging.
import CContextSwitch
import CLinux
import Glibc
import GreenThreads
import Synchronization

/// Uses about `bytes` of stack.
@inline(never)
func descend(_ bytes: Int) -> Int {
  withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 16) { buffer in
    buffer.initializeMemory(as: UInt8.self, repeating: 1)
    return bytes <= 0 ? Int(buffer[7]) : descend(bytes - 1024) + Int(buffer[9])
  }
}

private let stuck = Atomic(true)

let overflowing: @Sendable (Scheduler.Configuration, StackClass) throws -> Void = { configuration, stack in
  try Scheduler.run(configuration) {
    _ = try spawn(name: "deep", stack: stack) { descend(1 << 22) }.join()
  }
}

let messageChecks = [
  Check(name: "overflow") { try overflowing(quiet(workers: 1), .small) },
  Check(name: "overflow-of-a-large-stack") { try overflowing(quiet(workers: 4), .large) },
  Check(name: "overflow-of-the-root") {
    try Scheduler.run(workers: 2, name: "main unit") { say("\(descend(1 << 22))") }
  },
  /// On a thread that began as a spare, and in a section in which no worker looks on.
  Check(name: "overflow-on-a-spare-thread") {
    try Scheduler.run(quiet(workers: 1)) {
      try spawn { blocking { while stuck.load(ordering: .relaxed) { usleep(1000) } } }.detach()
      yield()
      // Whoever goes on here is the thread that took the worker over.
      _ = try spawn(name: "deep") { descend(1 << 22) }.join()
    }
  },
  Check(name: "other-fault") {
    try Scheduler.run(workers: 1) {
      let nowhere = UnsafeMutablePointer<Int>(bitPattern: Int(strtol("64", nil, 10)))
      nowhere?.pointee = 1
    }
  },
  Check(name: "deadlock", needsPlainProcess: false) {
    do {
      try Scheduler.run(quiet(workers: 2)) {
        let channel = Channel<Int>(capacity: 0)
        let waiter = try spawn(name: "receiver") { try channel.receive() }
        _ = try waiter.join()
      }
      fail("no deadlock was seen")
    } catch let error as SchedulerError { say("\(error)") }
  },
  Check(name: "deadlock-that-cannot-be-cancelled") {
    try Scheduler.run(workers: 2, name: "stubborn") {
      let channel = Channel<Int>(capacity: 0)
      _ = try shielded { try channel.receive() }
    }
  },
  Check(name: "hog", needsPlainProcess: false) {
    try Scheduler.run(workers: 2) {
      try spawn(name: "endless loop") {
        // The first report may be of the root, if that took long to come here. It cannot be reported twice.
        for hogs in 1...2 {
          while Scheduler.counters.reduce(Counters(), +).hogs < hogs {}
          yield()
        }
      }.join()
    }
  },
  Check(name: "blocked-unit-is-no-hog", needsPlainProcess: false) {
    var configuration = Scheduler.Configuration(workers: 1)
    configuration.hogThreshold = .milliseconds(100)
    var hogs: UInt64
    var used: UInt64
    repeat {
      let before = clinux_process_cpu_ns()
      hogs = try Scheduler.runCounting(configuration) {
        for _ in 0..<3 { blocking { _ = usleep(150_000) } }
        usleep(150_000)
      }.counters[0].hogs
      used = clinux_process_cpu_ns() - before
      // A processor that the host took away while a thread was on it may count as used by the thread: then once more.
    } while used >= 100_000_000
    // Its thread slept, and used no processor.
    expect(hogs == 0, "\(hogs) hogs, and \(used) ns of processor time")
  },
  Check(name: "outside-of-a-unit") { yield() },
  Check(name: "run-within-a-run") { try Scheduler.run { try Scheduler.run {} } },
  Check(name: "blocking-within-blocking") { try Scheduler.run { blocking { blocking {} } } },
]
