// A model's executable: what it offers, and its first exchange with the harness. The rest of a trial is in Session.

import CLinux
import Glibc
import Workloads

/// How one model does one workload.
public struct Implementation {
  let support: ModelDescription.Support
  let body: ((Session) throws -> Void)?

  /// - Parameters:
  ///   - variants: the labelled variants that `body` also offers (`session.request.variant` names the one wanted).
  ///   - body: runs one trial to its end: says `ready`, obeys the session's events, prints the result.
  public static func supported(
    _ workload: Workload, variants: [String] = [], _ body: @escaping (Session) throws -> Void
  ) -> Implementation {
    Implementation(support: .init(workload: workload.name, variants: variants), body: body)
  }

  /// - Parameter reason: why the model's best users would not write this workload in it.
  public static func unsupported(_ workload: Workload, _ reason: String) -> Implementation {
    Implementation(support: .init(workload: workload.name, variants: [], unsupported: reason), body: nil)
  }
}

/// A concurrency model as an executable that speaks PROTOCOL.md on standard input and output.
public struct Model {
  public let name: String
  /// The idiom in one line, shown next to the model's figures.
  public let idiom: String
  let implementations: [Implementation]

  /// The same for every model. A thread that blocks waits in one of the kernel's futex slots, and who wakes it walks past
  /// all that wait in the same. Since Linux 6.16 a process has slots of its own, 16 on two processors whatever its
  /// threads: among 10,000 that wait in no order a wake-up then costs 20 us more than with a slot for each. Older kernels
  /// refuse, and have one large table for all processes.
  private static let futexSlots: UInt = 16_384

  public init(name: String, idiom: String, _ implementations: [Implementation]) {
    self.name = name
    self.idiom = idiom
    self.implementations = implementations
  }

  /// Serves the harness on standard input and output until the trial or the input ends.
  public func run() -> Never {
    signal(SIGPIPE, SIG_IGN)
    let channel = LineChannel(input: STDIN_FILENO, output: STDOUT_FILENO)
    do {
      while let command: ModelCommand = try channel.next() {
        switch command.command {
        case .describe:
          try greet(command)
          var reply = ModelReply(reply: .description)
          reply.protocol = protocolVersion
          reply.description = ModelDescription(
            model: name, idiom: idiom, allocator: Allocator.name, workloads: implementations.map(\.support))
          try channel.send(reply)
        case .trial:
          try greet(command)
          guard let request = command.trial else { throw ModelFailure(.failed, "the command 'trial' has no trial") }
          let body = try implementation(of: request)
          _ = clinux_set_futex_slots(Self.futexSlots)
          try body(Session(request: request, channel: channel))
          exit(EXIT_SUCCESS)
        case .begin, .edge, .drain:
          throw ModelFailure(.failed, "the command '\(command.command.rawValue)' came before 'trial'")
        }
      }
      exit(EXIT_SUCCESS)
    } catch {
      var reply = ModelReply(reply: .failure)
      reply.failure = error as? ModelFailure ?? ModelFailure(.failed, "\(error)")
      try? channel.send(reply)
      exit(EXIT_FAILURE)
    }
  }

  private func greet(_ command: ModelCommand) throws(ModelFailure) {
    guard command.protocol == protocolVersion else {
      let version = command.protocol.map(String.init) ?? "none"
      throw ModelFailure(.unsupported, "protocol \(version) is not spoken here: expected \(protocolVersion)")
    }
  }

  private func implementation(of request: TrialRequest) throws(ModelFailure) -> (Session) throws -> Void {
    guard let found = implementations.first(where: { $0.support.workload == request.workload }) else {
      throw ModelFailure(.unsupported, "model '\(name)' does not know the workload '\(request.workload)'")
    }
    guard let body = found.body else {
      throw ModelFailure(.unsupported, found.support.unsupported ?? "unsupported")
    }
    if let variant = request.variant, !found.support.variants.contains(variant) {
      throw ModelFailure(.unsupported, "model '\(name)' has no variant '\(variant)' of \(request.workload)")
    }
    guard request.workers >= 1 else {
      throw ModelFailure(.failed, "workers is \(request.workers): expected at least 1")
    }
    return body
  }
}
