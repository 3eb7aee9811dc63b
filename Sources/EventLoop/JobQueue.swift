// The run queue of one loop: an intrusive FIFO of the runtime's jobs.
//
// A job (`ExecutorJob`) carries two words that belong to whoever schedules it. The first links the queue, so that
// enqueueing allocates nothing; the second says whose job it is (`JobOwner`), so that one queue can hold the jobs of
// the main actor and those of the global executor in one order. The runtime gives these words out through
// `withUnsafeExecutorPrivateData`, an opaque call; `JobLayout.check` proves once that they stand where they are
// read here.
@_spi(ExperimentalCustomExecutors) import _Concurrency

/// The address of a job: a word, so that an inbox can keep a tag in its lowest bit.
typealias JobAddress = UnsafeMutableRawPointer

/// The executor that a job was enqueued on. It must run with that identity: the runtime compares it with the one that
/// the task asked for, and enqueues again, for ever, a job that runs under another.
enum JobOwner: UInt {
  case global = 0
  case mainActor = 1
}

enum JobLayout {
  static let link = 16
  static let owner = 24

  /// Traps if this runtime keeps a job's private words elsewhere.
  static func check(_ job: borrowing ExecutorJob, at address: JobAddress) {
    job.withUnsafeExecutorPrivateData { words in
      precondition(
        words.baseAddress == address + link && words.count >= 16,
        "this Swift runtime keeps a job's scheduler words elsewhere: EventLoop is written for Swift 6.2 and 6.3")
    }
  }
}

extension JobAddress {
  var nextJob: JobAddress? {
    get { load(fromByteOffset: JobLayout.link, as: JobAddress?.self) }
    nonmutating set { storeBytes(of: newValue, toByteOffset: JobLayout.link, as: JobAddress?.self) }
  }

  var owner: JobOwner {
    get { load(fromByteOffset: JobLayout.owner, as: UInt.self) == JobOwner.mainActor.rawValue ? .mainActor : .global }
    nonmutating set { storeBytes(of: newValue.rawValue, toByteOffset: JobLayout.owner, as: UInt.self) }
  }
}

struct JobQueue {
  private var head: JobAddress?
  private var tail: JobAddress?

  var isEmpty: Bool { head == nil }

  @inline(__always)
  mutating func append(_ job: JobAddress) {
    job.nextJob = nil
    if let tail { tail.nextJob = job } else { head = job }
    tail = job
  }

  @inline(__always)
  mutating func popFirst() -> JobAddress? {
    guard let first = head else { return nil }
    head = first.nextJob
    if head == nil { tail = nil }
    return first
  }

  /// Puts the queue in random order: the deterministic mode explores interleavings with it.
  mutating func shuffle(with generator: inout SplitMix64) {
    var jobs: [JobAddress] = []
    while let job = popFirst() { jobs.append(job) }
    jobs.shuffle(using: &generator)
    for job in jobs { append(job) }
  }
}

/// A seeded generator whose sequence is the same everywhere (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014). `SystemRandomNumberGenerator` cannot be seeded.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
