// Service times: what is printed can be read again, and what cannot be meant is refused with the text quoted.

import Testing
import Workloads

@Suite struct ServiceTimeTests {
  @Test(arguments: [
    ("none", ServiceTime.none, "none"),
    ("fixed(1ms)", .fixed(nanoseconds: 1_000_000), "fixed(1ms)"),
    ("fixed(0s)", .fixed(nanoseconds: 0), "fixed(0ns)"),
    ("fixed(250us)", .fixed(nanoseconds: 250_000), "fixed(250us)"),
    ("fixed(250µs)", .fixed(nanoseconds: 250_000), "fixed(250us)"),
    ("fixed(1500us)", .fixed(nanoseconds: 1_500_000), "fixed(1500us)"),
    ("fixed(1.5ms)", .fixed(nanoseconds: 1_500_000), "fixed(1500us)"),
    ("fixed(10s)", .fixed(nanoseconds: 10_000_000_000), "fixed(10s)"),
    ("fixed(7ns)", .fixed(nanoseconds: 7), "fixed(7ns)"),
    (" exponential( 1 ms ) ", .exponential(meanNanoseconds: 1_000_000), "exponential(1ms)"),
    (
      "bimodal(1ms,20ms,2%)", .bimodal(fastNanoseconds: 1_000_000, slowNanoseconds: 20_000_000, slowShare: 0.02),
      "bimodal(1ms,20ms,2%)"
    ),
    (
      "bimodal(1us, 1s, 0.5%)", .bimodal(fastNanoseconds: 1_000, slowNanoseconds: 1_000_000_000, slowShare: 0.005),
      "bimodal(1us,1s,0.5%)"
    ),
    (
      "bimodal(1us,1s,0%)", .bimodal(fastNanoseconds: 1_000, slowNanoseconds: 1_000_000_000, slowShare: 0),
      "bimodal(1us,1s,0%)"
    ),
    (
      "bimodal(1us,1s,100%)", .bimodal(fastNanoseconds: 1_000, slowNanoseconds: 1_000_000_000, slowShare: 1),
      "bimodal(1us,1s,100%)"
    ),
  ])
  func `a text is read, and what is printed reads as the same`(text: String, expected: ServiceTime, printed: String)
    throws
  {
    let value = try ServiceTime(text)
    #expect(value == expected)
    #expect(value.description == printed)
    #expect(try ServiceTime(value.description) == value)
  }

  @Test(arguments: [
    "", "None", "fixed", "fixed()", "fixed(1ms", "fixed 1ms)", "fixed(1)", "fixed(ms)", "fixed(-1ms)", "fixed(11s)",
    "fixed(1ms,2ms)", "fixed(1min)", "fixed(1.1.1ms)", "fixed(nan)", "exponential(1e3ms)", "exponential()",
    "bimodal(1ms,20ms)", "bimodal(1ms,20ms,2)", "bimodal(1ms,20ms,101%)", "bimodal(1ms,20ms,-1%)",
    "bimodal(1ms,,2%)", "uniform(1ms)", "fixed(1ms)x", "(1ms)", ")(",
  ])
  func `a text that is no service time is refused and quoted`(text: String) {
    let error = #expect(throws: ParameterError.self) { try ServiceTime(text) }
    #expect(error?.description.contains("'\(text)'") == true)
    #expect(error?.description.contains("exponential(1ms)") == true)
  }
}
