// Word that the harness wants something, for trials whose edges lie where the work allows it and not at fixed times.

import Dispatch
import Synchronization

/// Looks at a descriptor without reading from it. Sendable because a Dispatch source may be used from any thread, though
/// it is not declared so.
final class InputWatch: @unchecked Sendable {
  private let source: any DispatchSourceRead
  private let ended = DispatchGroup()
  // Relaxed: it orders nothing.
  private let seen = Atomic(false)

  /// Whether there is something to read, or the end of the input.
  var hasInput: Bool { seen.load(ordering: .relaxed) }

  init(_ descriptor: Int32) {
    source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: DispatchQueue(label: "input"))
    source.setEventHandler { [unowned self] in
      seen.store(true, ordering: .relaxed)
      source.cancel()
    }
    ended.enter()
    source.setCancelHandler { [ended] in ended.leave() }
    source.activate()
  }

  /// Returns once the descriptor is no longer looked at: call it before reading.
  func stop() {
    source.cancel()
    ended.wait()
  }
}
