// What is read from the host, on texts as kernels print them.

import CLinux
import Glibc
import ResultFormat
import Testing

@testable import Harness

@Suite struct ProcessorSetsTests {
  @Test func `the rig gets the first processor and the model the others`() {
    let sets = ProcessorSets(available: [2, 5, 7])
    #expect(sets.rig == [2])
    #expect(sets.model(isServed: true) == [5, 7])
    #expect(sets.workers(isServed: true) == 2)
    #expect(!sets.isShared)
  }

  @Test(arguments: [[], [3]]) func `one processor is shared and nothing is pinned`(_ available: [Int]) {
    let sets = ProcessorSets(available: available)
    #expect(sets.rig.isEmpty && sets.model(isServed: true).isEmpty)
    #expect(sets.workers(isServed: true) == 1)
    #expect(sets.isShared)
  }
}

extension ProcessorSetsTests {
  @Test func `a model that drives itself gets all processors`() {
    #expect(ProcessorSets(available: [2, 5, 7]).model(isServed: false) == [2, 5, 7])
    #expect(ProcessorSets(available: [2, 5, 7]).workers(isServed: false) == 3)
    #expect(ProcessorSets(available: [3]).workers(isServed: false) == 1)
    #expect(ProcessorSets(available: []).workers(isServed: false) == 1)
  }
}

@Suite struct ProbeTests {
  @Test func `fields of a status file are read in bytes`() {
    let text =
      "Name:\tmodel x\nState:\tS (sleeping)\nVmPTE:\t     132 kB\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t7\n"
    #expect(
      Probe.parseStatus(text)
        == Probe.Status(
          threads: 7, residentBytes: 1_048_576, peakResidentBytes: 2_097_152, pageTableBytes: 135_168, state: "S"))
  }

  @Test func `rows of the kernel's TCP table give inode, port and whether they listen`() {
    let text = """
        sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
         0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0
         1: 0100007F:A0C0 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 20 4 30 10 -1
      """
    #expect(
      Probe.parseTable(text) == [
        .init(inode: "4242", port: 8080, isListener: true), .init(inode: "4243", port: 41152, isListener: false),
      ])
  }

  @Test func `a garbled table has no rows`() {
    #expect(Probe.parseTable("").isEmpty)
    #expect(Probe.parseTable("header\nnot a row\n 0: x:y z 0A 0 0 0 0 0 1").isEmpty)
  }

  @Test func `open TCP sockets of a process are seen from outside`() async throws {
    let probe = Probe(pid: getpid())
    let listener = clinux_listen_loopback(0, 1, 0)
    try #require(listener >= 0)
    let port = UInt16(clinux_local_port(listener))
    #expect(try #require(probe.openTCPSockets()) >= 1)
    #expect(probe.isListening(on: port) == true)
    clinux_close(listener)
    // Children that other tests are just starting hold a copy until they have become another program.
    let deadline = ContinuousClock.now + .seconds(120)
    while probe.isListening(on: port) == true && .now < deadline { try await Task.sleep(for: .milliseconds(1)) }
    #expect(probe.isListening(on: port) == false)
  }

  @Test func `a process that is gone gives no readings`() {
    let probe = Probe(pid: 4_194_305)  // above the highest pid_max
    #expect(probe.status() == Probe.Status())
    #expect(probe.openTCPSockets() == nil)
    #expect(probe.isListening(on: 1) == nil)
    #expect(probe.processorNanoseconds() == nil)
    #expect(!probe.resetPeak())
  }

  @Test func `the high-water mark falls when it is reset`() throws {
    let probe = Probe(pid: getpid())
    let size = 64 << 20
    let block = try #require(mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    memset(block, 1, size)
    munmap(block, size)
    let before = try #require(probe.status().peakResidentBytes)
    try #require(probe.resetPeak())
    #expect(try #require(probe.status().peakResidentBytes) < before)
  }
}

@Suite struct KernelMemoryTests {
  @Test func `stacks, page tables and slab are added up in bytes`() {
    let text = "MemTotal: 100 kB\nSUnreclaim:  30 kB\nKernelStack:  2 kB\nPageTables:  10 kB\nSecPageTables: 9 kB\n"
    #expect(Probe.parseKernelMemory(text) == 42 * 1024)
    #expect(Probe.parseKernelMemory("KernelStack: 2 kB\nPageTables: 10 kB\n") == nil)
    #expect(Probe.parseKernelMemory("KernelStack: x kB\nPageTables: 10 kB\nSUnreclaim: 1 kB\n") == nil)
  }

  @Test func `this host's can be read`() throws { #expect(try #require(Probe.hostKernelBytes()) > 1 << 20) }
}

@Suite struct CalibrationTests {
  @Test func `the speed is a number of iterations that takes about as long as it says`() {
    // Not a test of speed: a host that takes the processor away may count that as the thread's time. What it does not do
    // is to do so in the same way over and over: one of many pairs of readings agrees.
    let agrees = (0..<50).contains { _ in
      let speed = Calibration.iterationsPerMillisecond(readings: 3, milliseconds: 1)
      let again = Calibration.iterationsPerMillisecond(readings: 3, milliseconds: 2)
      return speed > 100 && Double(again) > Double(speed) / 20 && Double(again) < Double(speed) * 20
    }
    #expect(agrees)
  }
}

@Suite struct EnvironmentTests {
  @Test(arguments: [
    ("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", "intel-xeon-platinum-8375c"),
    ("AMD EPYC 7R13 Processor", "amd-epyc-7r13"), ("Neoverse-N1", "neoverse-n1"), ("../../etc", "etc"),
    ("", "unlabelled"), ("CPU", "cpu"),
  ]) func `a processor's name becomes a folder's name`(_ name: String, _ slug: String) {
    #expect(RunEnvironment.slug(name) == slug)
  }

  @Test func `the processor's model is found on both architectures`() {
    #expect(RunEnvironment.processorModel("processor\t: 0\nmodel name\t: Fast One\n") == "Fast One")
    #expect(
      RunEnvironment.processorModel("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n")
        == "ARM implementer 0x41 part 0xd0c")
    #expect(RunEnvironment.processorModel("") == "unknown processor")
  }

  @Test func `this host is described without its name`() async throws {
    let environment = await RunEnvironment.collect(
      label: nil, processors: ProcessorSets(available: [0, 1]), watch: nil)
    #expect(environment.processors >= 1)
    #expect(environment.memoryBytes > 1 << 20)
    var name = utsname()
    try #require(uname(&name) == 0)
    let host = withUnsafeBytes(of: &name.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if host.count > 3 { #expect(!"\(environment)".contains(host)) }
  }

  @Test func `a folder's name is taken once`() throws {
    let installation = try FakeInstallation()
    var environment = RunEnvironment(
      startedAt: "2026-01-31T12:00:00Z", label: "fast", operatingSystem: "", kernel: "", architecture: "",
      processor: "", processors: 1, memoryBytes: 1, virtualization: nil, clockSource: nil, compiler: "",
      build: "release", revision: nil, loadAverage: nil, warnings: [])
    let first = RunFolder.standard(environment, preset: "quick", in: installation.folder)
    #expect(first == "\(installation.folder)/2026-01-31-fast-quick")
    try RunFolder.make(first)
    #expect(RunFolder.standard(environment, preset: "quick", in: installation.folder) == first + "-2")
    environment.label = "slow"
    #expect(RunFolder.standard(environment, preset: "quick", in: installation.folder).hasSuffix("slow-quick"))
  }
}
