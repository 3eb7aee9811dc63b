// The rig's side of the JSON lines that it exchanges with the harness (see RigProtocol.swift in Workloads).

import CLinux
import FoundationEssentials
import Glibc
import Workloads

/// Why the rig cannot go on: names what failed and, where there is one, the remedy.
struct RigFailure: Error, Hashable, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }

  /// A system call that returned `-errno`.
  init(_ action: String, code: Int) {
    description = "\(action): \(String(cString: strerror(CInt(-code))))"
  }
}

/// Lines in, lines out. Reading takes what is there and never waits for the rest of a line.
struct Conversation {
  static let longestLine = 1 << 20

  let input: CInt
  let output: CInt
  private(set) var isAtEnd = false
  private var unread: [UInt8] = []

  init(input: CInt, output: CInt) {
    self.input = input
    self.output = output
  }

  /// Reads once; blocks only if nothing has arrived.
  mutating func read() throws(RigFailure) {
    let length = withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { buffer in
      let length = clinux_read(input, buffer.baseAddress, buffer.count)
      if length > 0 { unread.append(contentsOf: buffer[..<length]) }
      return length
    }
    if length == 0 { isAtEnd = true }
    if length < 0, length != -Int(EINTR), length != -Int(EAGAIN) {
      throw RigFailure("reading a command from standard input", code: length)
    }
    guard unread.count <= Self.longestLine else {
      throw RigFailure("a command of more than \(Self.longestLine) bytes came without a line's end")
    }
  }

  /// The next whole line's command; nil if no whole line has been read yet.
  mutating func nextCommand() throws(RigFailure) -> RigCommand? {
    while let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
      let line = Array(unread[..<end])
      unread.removeSubrange(...end)
      if line.allSatisfy({ $0 == 32 || $0 == 9 || $0 == 13 }) { continue }
      do {
        return try JSONDecoder().decode(RigCommand.self, from: Data(line))
      } catch {
        let text = String(decoding: line.prefix(200), as: UTF8.self)
        throw RigFailure("'\(text)' is not a command: expected load, connect or finish as in RigProtocol.swift")
      }
    }
    return nil
  }

  static func line(_ reply: RigReply) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    guard var bytes = try? [UInt8](encoder.encode(reply)) else { preconditionFailure("a reply is plain values") }
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }

  /// Writes a whole line. A reader that has gone away is noticed as the end of the input.
  func write(_ line: [UInt8]) {
    line.withUnsafeBytes { bytes in
      var written = 0
      while written < bytes.count {
        let length = clinux_write(output, bytes.baseAddress! + written, bytes.count - written)
        if length > 0 {
          written += length
        } else if length == -Int(EAGAIN) {
          var writable = pollfd(fd: output, events: Int16(POLLOUT), revents: 0)
          _ = poll(&writable, 1, -1)
        } else if length != -Int(EINTR) {
          return
        }
      }
    }
  }

  func send(_ reply: RigReply) { write(Self.line(reply)) }

  static func edgeLine(_ edge: Edge, at nanoseconds: UInt64) -> [UInt8] {
    var reply = RigReply(.edge)
    reply.edge = edge
    reply.monotonicNanoseconds = nanoseconds
    return line(reply)
  }
}

/// Serves one trial: reads `load` from `input`, then follows the conversation to the end of the input.
/// - Returns: the process's exit status: 0 when the input ended, 1 after a `failure` line.
func serve(input: CInt, output: CInt) -> CInt {
  var conversation = Conversation(input: input, output: output)
  do {
    guard let load = try firstLoad(&conversation) else { return 0 }
    switch load.workload {
    case Workload.fanOut.name:
      let parameters = try checked { () throws(ParameterError) in try FanOut.Parameters(load.parameters) }
      try serve(
        FanOutLoad(parameters, seed: load.seed, isGated: load.isGated), LoadPlan(load, parameters), conversation)
    case Workload.blockingMix.name:
      let parameters = try checked { () throws(ParameterError) in try BlockingMix.Parameters(load.parameters) }
      let workers = try required(load.workers, "workers", 1...65_536)
      let speed = try required(load.iterationsPerMillisecond, "iterationsPerMillisecond", 1...1_000_000_000)
      try serve(
        BlockingMixLoad(
          parameters, seed: load.seed, workers: workers, iterationsPerMillisecond: speed, isGated: load.isGated),
        LoadPlan(load, parameters, workers: workers), conversation)
    default:
      let names = [Workload.fanOut, .blockingMix].map(\.name).joined(separator: ", ")
      throw RigFailure("'\(load.workload)' is not a workload that the rig drives: it drives \(names)")
    }
    return 0
  } catch {
    var reply = RigReply(.failure)
    reply.reason = "\(error)"
    conversation.send(reply)
    return 1
  }
}

private func checked<Parameters>(_ make: () throws(ParameterError) -> Parameters) throws(RigFailure) -> Parameters {
  do { return try make() } catch { throw RigFailure(error.description) }
}

private func required(_ value: Int?, _ name: String, _ range: ClosedRange<Int>) throws(RigFailure) -> Int {
  guard let value else { throw RigFailure("load came without \(name), which this workload needs") }
  guard range.contains(value) else {
    throw RigFailure("\(name) is \(value): expected \(range.lowerBound) to \(range.upperBound)")
  }
  return value
}

private func serve<Load: ServedLoad & ~Copyable>(
  _ load: consuming Load, _ plan: LoadPlan, _ conversation: Conversation
) throws(RigFailure) {
  try requireDescriptors(plan.connections + Backend.capacity(for: plan.backendConnections))
  let poller = try EventPoller()
  let listener = try Listener()
  var trial = Trial(load, plan: plan, conversation: conversation, poller: poller, listener: listener)
  try trial.run()
}

/// Raises the limit of open files, and refuses a trial that needs more than it allows.
private func requireDescriptors(_ connections: Int) throws(RigFailure) {
  // The standard streams, the listener, epoll, and what the process was started with.
  let needed = connections + 16
  let limit = clinux_raise_file_limit()
  if limit < 0 { throw RigFailure("raising the limit of open files", code: Int(limit)) }
  if limit < needed {
    throw RigFailure(
      "the trial needs \(needed) open files and the hard limit is \(limit): raise it (ulimit -Hn \(needed)) or set fewer "
        + "connections")
  }
}

/// Blocks until `load` has come; nil if the input ends first.
private func firstLoad(_ conversation: inout Conversation) throws(RigFailure) -> RigLoad? {
  while true {
    if let command = try conversation.nextCommand() {
      guard command.command == .load else {
        throw RigFailure("'\(command.command.rawValue)' came first: the order is load, connect, finish")
      }
      guard let load = command.load else { throw RigFailure("load came without what to do") }
      return load
    }
    if conversation.isAtEnd { return nil }
    try conversation.read()
  }
}

extension LoadPlan {
  init(_ load: RigLoad, _ parameters: FanOut.Parameters) throws(RigFailure) {
    let arrivals: Arrivals =
      switch parameters.load {
      case .closed: .closed
      case .poisson(let rate): .open(rate: rate, burst: 1)
      case .bursts(let rate, let size): .open(rate: rate, burst: size)
      }
    try self.init(
      load, arrivals: arrivals, connections: parameters.connections, backendConnections: parameters.backendConnections)
  }

  init(_ load: RigLoad, _ parameters: BlockingMix.Parameters, workers: Int) throws(RigFailure) {
    try self.init(
      load, arrivals: .open(rate: parameters.rate(workers: workers), burst: 1), connections: parameters.connections,
      backendConnections: 0)
  }
}
