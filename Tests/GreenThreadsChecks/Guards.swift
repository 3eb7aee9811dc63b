// What guards stacks on kernels that have no MADV_GUARD_INSTALL, and where mappings run out.
import Glibc
import GreenThreads

/// Keeps `count` units alive at once, each of which has begun, and runs `body` while none of them can end.
func parkUnits(_ count: Int, while body: () throws -> Void = {}) throws {
  let begun = WaitGroup()
  let gate = Semaphore(permits: 0)
  var units = JoinSet<Void>()
  begun.add(count)
  for _ in 0..<count {
    try units.spawn {
      begun.done()
      try gate.acquire()
    }
  }
  try begun.wait()
  try body()
  for _ in 0..<count { gate.release() }
  while try units.joinNext() != nil {}
}

func mappings() -> Int {
  guard let file = fopen("/proc/self/maps", "r") else { fail("no /proc/self/maps") }
  defer { fclose(file) }
  var lines = 0
  var byte: Int32 = getc(file)
  while byte != EOF {
    if byte == 10 { lines += 1 }
    byte = getc(file)
  }
  return lines
}

let guardChecks = [
  Check(name: "overflow-with-mprotect") {
    StackRegion.restrict(to: .mprotect)
    try overflowing(quiet(workers: 1), .small)
  },
  Check(name: "overflow-with-canaries") {
    StackRegion.restrict(to: .canary)
    try Scheduler.run(quiet(workers: 1)) {
      // Past the end of its stack, and not past the space that a guard would have had.
      _ = try spawn(name: "deep") { descend(80 << 10) }.join()
    }
  },
  Check(name: "canaries-stay-when-stacks-are-used-again", needsPlainProcess: false) {
    StackRegion.restrict(to: .canary)
    for _ in 0..<3 {
      try Scheduler.run(quiet(workers: 2)) {
        try parkUnits(500)
        let depth = try spawn { descend(30 << 10) }.join()
        expect(depth > 30, "depth \(depth)")
      }
    }
  },
  // One slab with guards of its own mappings, all others without.
  Check(name: "mappings-run-out-by-count", needsPlainProcess: false) {
    StackRegion.restrict(to: .mprotect, mprotectLimit: 64)
    try Scheduler.run(quiet(workers: 2)) { try parkUnits(1000) }
    expect(mappings() < 1000, "\(mappings()) mappings")
  },
  // The system's own limit: mprotect fails, and enough mappings must be left for everything else.
  Check(name: "mappings-run-out-for-real") {
    guard let file = fopen("/proc/sys/vm/max_map_count", "r") else { return say("no more guard pages (no such limit)") }
    var line = [CChar](repeating: 0, count: 32)
    fgets(&line, 32, file)
    fclose(file)
    let most = atol(line)
    guard most <= 70_000 else { return say("no more guard pages (the limit is too high to reach: \(most))") }
    StackRegion.restrict(to: .mprotect, mprotectLimit: .max)
    try Scheduler.run(quiet(workers: 1)) {
      try parkUnits(40_000)
      // A thread needs mappings: its stack and guard.
      let ready = try Descriptor.pipe()
      try spawn {
        var byte: UInt8 = 0
        blocking { while read(ready.reading.fileDescriptor, &byte, 1) != 1 { usleep(100) } }
      }.detach()
      yield()
      var byte: UInt8 = 1
      try withUnsafeBytes(of: &byte) { try ready.writing.write($0) }
    }
  },
]
