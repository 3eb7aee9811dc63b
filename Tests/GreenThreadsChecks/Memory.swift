// Memory that goes back.
import Glibc
import GreenThreads

let memoryChecks = [
  Check(name: "idle-stacks-are-given-back") {
    try Scheduler.run(quiet(workers: 2)) {
      let before = status("VmRSS")
      for round in 0..<3 {
        try parkUnits(20_000)
        let peak = status("VmRSS")
        // They touched a page each, and more of it where they ran.
        expect(peak - before > 60_000 || round > 0, "\(peak - before) KiB at most")
        // The monitor looks ten times a second; however loaded the machine is, it comes. What each worker keeps at hand
        // stays: 6 MiB of stacks, and what the heap needs for them.
        var rounds = 0
        while status("VmRSS") - before > 30_000 {
          try sleep(for: .milliseconds(20))
          rounds += 1
          expect(rounds < 1000, "\(status("VmRSS") - before) KiB kept")
        }
        say("\(peak - before) KiB, then \(status("VmRSS") - before) KiB")
      }
    }
  },
  // What goes back while others run, and is taken again at once.
  Check(name: "trimming-races-with-spawning", needsPlainProcess: false) {
    try Scheduler.run(quiet(workers: 2)) {
      let end = Scheduler.nowNanoseconds + 1_500_000_000
      var sum = 0
      while Scheduler.nowNanoseconds < end {
        var units = JoinSet<Int>()
        for i in 0..<2000 { try units.spawn(stack: i % 16 == 0 ? .large : .small) { descend(2000) } }
        while let depth = try units.joinNext() { sum += depth }
        try sleep(for: .milliseconds(60))
      }
      expect(sum > 0, "\(sum)")
    }
  },
]
