// Limits of the system: a thrown error, never a crash or a hang, and afterwards everything works again.
import CLinux
import Glibc
import GreenThreads

/// Spawns until it throws; how many there were.
func spawnUntilRefused() throws -> Int {
  let gate = Channel<Void>(capacity: 0)
  var units = JoinSet<Void>()
  do {
    while true { try units.spawn { _ = try gate.receive() } }
  } catch {
    guard case .unitsExhausted = error else { throw error }
    say("\(error)")
  }
  let count = units.count
  gate.close()
  while try units.joinNext() != nil {}
  return count
}

func expectIOError(_ operation: String, _ body: () throws -> Void) {
  do {
    try body()
    fail("\(operation) did not throw")
  } catch let error as IOError {
    expect(error.isResourceLimit, "\(operation): \(error)")
    say("\(error)")
  } catch { fail("\(operation): \(error)") }
}

let exhaustionChecks = [
  Check(name: "no-address-space") {
    limit(RLIMIT_AS, to: status("VmSize") << 10 + 100 << 20)
    do {
      try Scheduler.run {}
      fail("it ran")
    } catch let error as SchedulerError { say("\(error)") }
  },
  // Reserved already when the limit comes: threads' stacks cannot be had any more.
  Check(name: "no-threads") {
    try Scheduler.run(quiet(workers: 1)) {}
    limit(RLIMIT_AS, to: (status("VmSize") << 10) + 200 << 20)
    for _ in 0..<3 {
      do {
        try Scheduler.run(quiet(workers: 256)) { say("FAILED: the root ran") }
        fail("it ran")
      } catch let error as SchedulerError { say("\(error)") }
    }
    let answer = try Scheduler.run(quiet(workers: 2)) { try spawn { 42 }.join() }
    expect(answer == 42, "\(answer)")
  },
  // Threads that others hold: not even the monitor and one worker can start. The C library keeps the stacks of threads
  // that have ended for the next ones, hence not just a limit.
  Check(name: "no-thread-at-all") {
    try Scheduler.run(quiet(workers: 1)) {}
    limit(RLIMIT_AS, to: (status("VmSize") << 10) + 40 << 20)
    var thread = pthread_t()
    while pthread_create(&thread, nil, { _ in while true { pause() } }, nil) == 0 {}
    do {
      try Scheduler.run(quiet(workers: 1)) { say("FAILED: the root ran") }
      fail("it ran")
    } catch let error as SchedulerError { say("\(error)") }
  },
  // No thread for those who wait behind a blocking section: they wait until it ends.
  Check(name: "no-spare-thread") {
    try Scheduler.run(quiet(workers: 1)) {
      limit(RLIMIT_AS, to: (status("VmSize") << 10) + 4 << 20)
      let other = try spawn { 7 }
      blocking { _ = usleep(50_000) }
      let seven = try other.join()
      expect(seven == 7, "\(seven)")
    }
  },
  Check(name: "no-memory-for-slabs") {
    try Scheduler.run(quiet(workers: 2)) {
      // Ten slabs of 8 MiB, and what the heap needs: without that the Swift runtime itself ends the process.
      limit(RLIMIT_DATA, to: (status("VmData") << 10) + 84 << 20)
      let first = try spawnUntilRefused()
      expect(first > 64, "\(first) units")
      let again = try spawnUntilRefused()
      expect(again >= first - 64, "\(again) units, \(first) before")
      let answer = try spawn { 42 }.join()
      expect(answer == 42, "\(answer)")
    }
  },
  Check(name: "no-more-units", needsPlainProcess: false) {
    var configuration = quiet(workers: 2)
    configuration.maximumUnits = 300
    try Scheduler.run(configuration) {
      for _ in 0..<3 {
        let count = try spawnUntilRefused()
        expect((170...299).contains(count), "\(count) units")
      }
    }
  },
  Check(name: "no-descriptor-for-the-poller", needsPlainProcess: false) {
    var ends: [Int32] = [0, 0]
    expect(pipe(&ends) == 0, "pipe")
    close(ends[0])
    close(ends[1])
    // None, then one: epoll and then the eventfd fail.
    for more in 0...1 {
      limit(RLIMIT_NOFILE, to: Int(ends[0]) + more, most: 1024)
      do {
        try Scheduler.run {}
        fail("it ran")
      } catch let error as SchedulerError { say("\(error)") }
    }
    limit(RLIMIT_NOFILE, to: 1024)
    try Scheduler.run {}
  },
  Check(name: "no-more-descriptors", needsPlainProcess: false) {
    try Scheduler.run(quiet(workers: 2)) {
      let listener = try Descriptor.listen()
      let server = try spawn { try listener.accept() }
      let client = try Descriptor.connect(port: listener.port)
      let served = try server.join()
      limit(RLIMIT_NOFILE, to: 64)
      var held: [Descriptor] = []
      for round in 0..<3 {
        do {
          while true {
            let (reading, writing) = try Descriptor.pipe()
            held += [reading, writing]
          }
        } catch let error as IOError { expect(error.isResourceLimit, "\(error)") }
        // A pipe takes two, so that one may be left.
        while let last = try? Descriptor.listen() { held.append(last) }
        expectIOError("pipe") { _ = try Descriptor.pipe() }
        expectIOError("listen") { _ = try Descriptor.listen() }
        expectIOError("connect") { _ = try Descriptor.connect(port: listener.port) }
        // A client that is not of this process's making: a descriptor is given up and taken by the connecting side.
        held.removeLast().close()
        let waiting = try Descriptor.connect(port: listener.port)
        expectIOError("accept") { _ = try listener.accept() }
        for descriptor in held { descriptor.close() }
        held = []
        // The connection was not lost.
        try listener.accept(timeout: .seconds(120)).close()
        waiting.close()
        say("round \(round)")
      }
      var bytes: [UInt8] = [5]
      try bytes.withUnsafeBytes { try client.write($0) }
      bytes = [0]
      let got = try bytes.withUnsafeMutableBytes { try served.readExactly(into: $0) }
      expect(got && bytes == [5], "the connection that was there before")
    }
  },
]
