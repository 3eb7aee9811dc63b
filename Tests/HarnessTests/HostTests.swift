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
    #expect(sets.model == [5, 7])
    #expect(sets.workers == 2)
    #expect(!sets.isShared)
  }

  @Test(arguments: [[], [3]]) func `one processor is shared and nothing is pinned`(_ available: [Int]) {
    let sets = ProcessorSets(available: available)
    #expect(sets.rig.isEmpty && sets.model.isEmpty)
    #expect(sets.workers == 1)
    #expect(sets.isShared)
  }
}

@Suite struct HostLoadTests {
  private func times(_ first: String) -> HostLoad.Times? {
    HostLoad.Times("cpu  \(first)\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\nintr 1 2 3\n")
  }

  @Test func `processors in use are the share of ticks that were not idle`() throws {
    let before = try #require(times("100 0 50 800 50 0 0 0 0 0"))
    let after = try #require(times("130 0 60 950 60 0 0 0 0 0"))
    // 40 of 200 ticks, of two processors.
    #expect(after.processorsInUse(since: before) == 0.4)
    #expect(before.processorsInUse(since: before) == nil)
  }

  @Test(arguments: ["", "cpu 1 2 3\n", "cpu  1 2 3 4 5 6 7 8\n", "cpu  a b c d e f g h\ncpu0 1\n", "intr 1\n"])
  func `another kernel's file says nothing`(_ text: String) { #expect(HostLoad.Times(text) == nil) }
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
    var looks = 0
    while probe.isListening(on: port) == true && looks < 10_000 {
      looks += 1
      try await Task.sleep(for: .milliseconds(1))
    }
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
    let environment = await RunEnvironment.collect(label: nil, processors: ProcessorSets(available: [0, 1]))
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
