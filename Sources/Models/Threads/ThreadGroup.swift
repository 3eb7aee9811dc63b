// Many threads that run the same body, each with its index. They differ from Thread in what they cost: the stack is as
// small as the body allows, and a thread allocates nothing on its way in or out. The second is worth more than the
// first: one malloc or free in a thread makes the allocator give it a cache of its own, tens of kilobytes.

import Glibc
import ModelKit
import Workloads

/// Sendable because `handles` belongs to the thread that starts and joins, and everything else never changes while
/// threads run.
final class ThreadGroup: @unchecked Sendable {
  /// For a body that calls a few functions deep. A page for the guard: but for what `frameBytes` makes room for, nothing
  /// here has a frame as large as that.
  static let stackBytes = 32 << 10
  static let guardBytes = 4 << 10

  /// What a thread is started with: two words in an array, which its thread only reads.
  private struct Member {
    let group: Unmanaged<ThreadGroup>
    let index: Int
  }

  private let body: @Sendable (Int) -> Void
  private let members: UnsafeMutablePointer<Member>
  private var handles: [pthread_t] = []

  private init(count: Int, body: @escaping @Sendable (Int) -> Void) {
    self.body = body
    members = .allocate(capacity: count)
    handles.reserveCapacity(count)
    for index in 0..<count {
      (members + index).initialize(to: Member(group: .passUnretained(self), index: index))
    }
  }

  deinit { members.deallocate() }

  /// Starts `count` threads; each calls `body` with its index.
  /// - Parameter frameBytes: what the body keeps on its stack beyond the ordinary.
  /// - Throws: ``ModelFailure`` of state `limit` if the system has no room for all. Those that were started are left
  ///   running, for the trial is over: the process exits with them.
  static func start(
    _ count: Int, frameBytes: Int = 0, _ body: @escaping @Sendable (Int) -> Void
  ) throws(ModelFailure) -> ThreadGroup {
    let group = ThreadGroup(count: count, body: body)
    // Held until the join: a group whose owner has failed outlives its threads so.
    _ = Unmanaged.passRetained(group)
    var attributes = StackAttributes(bytes: stackBytes + frameBytes, guardBytes: guardBytes)
    for index in 0..<count {
      var handle = pthread_t()
      let error = attributes.create(&handle, group.members + index) { argument in
        let member = argument!.assumingMemoryBound(to: Member.self).pointee
        member.group._withUnsafeGuaranteedRef { $0.body(member.index) }
        return nil
      }
      guard error == 0 else {
        throw ModelFailure(
          .limit, "creating thread \(index + 1) of \(count) failed: \(describe(errno: Int(error)))", reached: index)
      }
      group.handles.append(handle)
    }
    return group
  }

  /// Waits until all threads have ended. Once.
  func join() {
    for handle in handles { pthread_join(handle, nil) }
    handles = []
    Unmanaged.passUnretained(self).release()
  }
}
