// Memory that goes back.
import Glibc
import GreenThreads

let memoryChecks = [
  Check(name: "idle-stacks-are-given-back") {
    try Scheduler.run(quiet(workers: 2)) {
      let before = status("VmRSS")
      for _ in 0..<3 {
        // They touch a page each, and more of it where they ran. Looked at while they live: the monitor may already be
        // giving back what is free.
        var most = 0
        try parkUnits(20_000) { most = status("VmRSS") - before }
        expect(most > 60_000, "\(most) KiB at most")
        // The monitor looks ten times a second; however loaded the machine is, it comes. What each worker keeps at hand
        // stays: 6 MiB of stacks, and what the heap needs for them.
        var rounds = 0
        while status("VmRSS") - before > 30_000 {
          try sleep(for: .milliseconds(20))
          rounds += 1
          expect(rounds < 6000, "\(status("VmRSS") - before) KiB kept for two minutes")
        }
        say("\(most) KiB, then \(status("VmRSS") - before) KiB")
      }
    }
  },
  // What goes back while others run, and is taken again at once.
  Check(name: "trimming-races-with-spawning", needsPlainProcess: false) {
    try Scheduler.run(quiet(workers: 2)) {
      let end = Scheduler.nowNanoseconds + 1_500_000_000
      var sum = 0
      repeat {
        var units = JoinSet<Int>()
        for i in 0..<2000 { try units.spawn(stack: i % 16 == 0 ? .large : .small) { descend(2000) } }
        while let depth = try units.joinNext() { sum += depth }
        try sleep(for: .milliseconds(60))
      } while Scheduler.nowNanoseconds < end
      expect(sum > 0, "\(sum)")
    }
  },
]
