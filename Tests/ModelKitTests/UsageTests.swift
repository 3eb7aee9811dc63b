// What a model says that it has used, and what becomes of a failed call.

import CLinux
import Glibc
import Testing
import Workloads

@testable import ModelKit

@Suite struct UsageTests {
  @Test func `readings never go back`() {
    var last = Usage.current()
    for round in 0..<200 {
      // Work of both kinds, so that every counter has a reason to move.
      let block = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: 1 << 16)
      #expect(block.count { $0 == UInt8(truncatingIfNeeded: round) } == 1 << 16)
      sched_yield()
      let next = Usage.current()
      #expect(next.monotonicNanoseconds >= last.monotonicNanoseconds)
      // The split follows getrusage's ticks, so only the total is promised to grow.
      #expect(
        next.userNanoseconds + next.systemNanoseconds >= last.userNanoseconds + last.systemNanoseconds)
      #expect(next.voluntarySwitches >= last.voluntarySwitches)
      #expect(next.involuntarySwitches >= last.involuntarySwitches)
      #expect(next.minorFaults >= last.minorFaults)
      #expect(next.majorFaults >= last.majorFaults)
      last = next
    }
  }

  @Test func `the time between two readings is the process's own`() {
    let before = Usage.current()
    let clock = clinux_process_cpu_ns()
    var generator = SplitMix64(seed: 1)
    var sum: UInt64 = 0
    for _ in 0..<200_000 { sum &+= generator.next() }
    #expect(sum != 0)
    let after = Usage.current()
    let used = after.userNanoseconds + after.systemNanoseconds
    #expect(used >= clock)
    #expect(used > before.userNanoseconds + before.systemNanoseconds)
    #expect(used <= clinux_process_cpu_ns())
  }

  /// Counters read from outside lose the threads that have exited; these must not.
  @Test func `a thread that has exited is still counted`() {
    let before = Usage.current()
    var thread = pthread_t()
    let created = pthread_create(
      &thread, nil,
      { _ in
        for _ in 0..<50 {
          var pause = timespec(tv_sec: 0, tv_nsec: 1_000)
          nanosleep(&pause, nil)
        }
        return nil
      }, nil)
    #expect(created == 0)
    pthread_join(thread, nil)
    #expect(Usage.current().voluntarySwitches >= before.voluntarySwitches + 50)
  }

  @Test func `heap figures are either jemalloc's or absent, never made up`() throws {
    let usage = Usage.current()
    #expect((usage.heapAllocatedBytes == nil) == (Allocator.name == nil))
    #expect((usage.heapAllocations == nil) == (Allocator.name == nil))
    guard let before = usage.heapAllocatedBytes else { return }
    let block = try #require(malloc(128 << 20))
    defer { free(block) }
    // Other tests allocate and free meanwhile, but nowhere near 64 megabytes.
    #expect(try #require(Usage.current().heapAllocatedBytes) >= before + 64 << 20)
    #expect(Allocator.name?.hasPrefix("jemalloc ") == true)
  }
}

@Suite struct SystemCallTests {
  @Test(arguments: [0, 1, 4_096])
  func `a result that is no error is passed on`(result: Int) throws {
    #expect(try require(result, "reading") == result)
    #expect(try require(Int32(result), "reading") == Int32(result))
  }

  @Test(arguments: [EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL])
  func `a limit of the system is a failure of state limit`(number: Int32) {
    let failure = #expect(throws: ModelFailure.self) { try require(-number, "opening connection 17") }
    #expect(failure?.state == .limit)
    #expect(failure?.reason.hasPrefix("opening connection 17 failed: ") == true)
    #expect(failure?.reason.contains("errno \(number)") == true)
  }

  @Test(arguments: [EBADF, ECONNREFUSED, ECONNRESET, EINVAL, EPIPE])
  func `any other error is a failure of state failed, in the system's words`(number: Int32) {
    let failure = #expect(throws: ModelFailure.self) { try require(Int(-number), "connecting") }
    #expect(failure?.state == .failed)
    #expect(failure?.reason == "connecting failed: \(String(cString: strerror(number))) (errno \(number))")
  }

  @Test func `what was attempted is put into words only when it failed`() throws {
    func words() -> String {
      Issue.record("asked for words though nothing had failed")
      return ""
    }
    try require(1, words())
  }
}
