// Who is no hog: what the monitor must not report.
import CLinux
import Glibc
import GreenThreads
import Testing

@Suite struct HogTests {
  private static func configuration(workers: Int, threshold: Duration) -> Scheduler.Configuration {
    var configuration = Scheduler.Configuration(workers: workers)
    configuration.hogThreshold = threshold
    return configuration
  }

  private static func hogs(_ configuration: Scheduler.Configuration, _ body: () throws -> Void) throws
    -> UInt64
  {
    try Scheduler.runCounting(configuration, body).counters.reduce(Counters(), +).hogs
  }

  private static func compute(nanoseconds: UInt64) {
    let end = clinux_monotonic_ns() + nanoseconds
    while clinux_monotonic_ns() < end {}
  }

  /// After a hand-off another thread carries the worker: its clock must not be held against the first one's.
  @Test(arguments: [1, 2])
  func unitThatLeavesForABlockingCallIsNoHog(workers: Int) throws {
    let hogs = try Self.hogs(Self.configuration(workers: workers, threshold: .seconds(60))) {
      for _ in 0..<40 {
        // Long enough to be looked at, and then away for long enough to be handed off.
        Self.compute(nanoseconds: 1_000_000)
        blocking { _ = usleep(3_000) }
      }
    }
    #expect(hogs == 0)
  }

  /// A unit that gives up its turn keeps it where nobody else is ready.
  @Test func unitThatYieldsAloneIsNoHog() throws {
    let threshold: UInt64 = 400_000_000
    let configuration = Self.configuration(workers: 1, threshold: .nanoseconds(Int64(threshold)))
    // The longest time on the processor between two looks at the clock; a turn ends within two of them.
    var longest: UInt64 = 0
    var hogs: UInt64 = 0
    repeat {
      (longest, hogs) = try Scheduler.run(configuration) {
        var last = clinux_thread_cpu_ns()
        var longest = last
        while last < 2 * threshold {
          yield()
          let now = clinux_thread_cpu_ns()
          (longest, last) = (max(longest, now - last), now)
        }
        let hogs = Scheduler.counters.reduce(Counters(), +).hogs
        return (max(longest, clinux_thread_cpu_ns() - last), hogs)
      }
      // A processor that the host took away while the thread was on it may count as used by the thread: then once more.
    } while longest >= threshold / 2
    #expect(hogs == 0)
  }
}
