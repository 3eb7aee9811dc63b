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
    let hogs = try Self.hogs(Self.configuration(workers: 1, threshold: .milliseconds(20))) {
      let end = clinux_monotonic_ns() + 200_000_000
      while clinux_monotonic_ns() < end { yield() }
    }
    #expect(hogs == 0)
  }
}
