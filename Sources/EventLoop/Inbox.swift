// What other threads hand to a loop: jobs to run, and mail (a function to call on the loop's thread). An intrusive
// stack with many producers and one consumer, which takes everything at once and turns it round, so order is kept.
// Nothing is allocated, and no ABA: entries are only ever taken all together.
//
// One word holds the newest entry, or says that there is none (`empty`), or that there is none and the loop sleeps or
// is about to (`asleep`). Since the sentinel and the list share the word, no wake-up is lost and none is doubled:
// exactly one producer finds `asleep`, replaces it, and owes the loop one wake-up; those after it find an entry and owe
// nothing. A burst of posts from any number of threads costs one system call per sleep of the loop.
import Synchronization

/// The head of everything that can be posted besides a job. Embed it as the first member of a node in raw memory that
/// stays allocated until `run` has been called. `link` stands where a job's link stands.
struct Mail {
  typealias Action = @convention(c) @Sendable (UnsafeMutableRawPointer) -> Void

  /// Called on the loop's thread with the address of this mail. It may free it.
  var run: Action
  /// For whoever embeds it.
  var context: UnsafeMutableRawPointer?
  var link: UInt = 0

  init(context: UnsafeMutableRawPointer? = nil, run: @escaping Mail.Action) {
    self.run = run
    self.context = context
  }

  /// Traps if the layouts of a mail and a job disagree.
  static func checkLayout() {
    precondition(MemoryLayout<Mail>.offset(of: \.link) == JobLayout.link, "a mail's link must stand at a job's")
  }
}

struct Inbox: ~Copyable {
  /// An entry: a job's address, or a mail's with the lowest bit set. Both are aligned to at least 8 bytes.
  enum Entry {
    case job(JobAddress)
    case mail(UnsafeMutableRawPointer)
  }

  private static let empty: UInt = 0
  private static let asleep: UInt = 2
  private static let mailBit: UInt = 1

  private let newest = Atomic<UInt>(Inbox.empty)

  /// Posts a job. True: the loop sleeps, and the caller must wake it.
  func post(job: JobAddress) -> Bool {
    push(UInt(bitPattern: job), at: job)
  }

  /// Posts a mail. True: the loop sleeps, and the caller must wake it.
  func post(mail: UnsafeMutableRawPointer) -> Bool {
    push(UInt(bitPattern: mail) | Self.mailBit, at: mail)
  }

  private func push(_ entry: UInt, at address: UnsafeMutableRawPointer) -> Bool {
    // Relaxed: the value is only linked and compared, never followed, here.
    var seen = newest.load(ordering: .relaxed)
    while true {
      address.storeBytes(of: seen == Self.asleep ? Self.empty : seen, toByteOffset: JobLayout.link, as: UInt.self)
      // Releasing: publishes the link just written and all that the poster did before, to the consumer's acquiring
      // exchange. Earlier posters stay published: a compare-and-swap continues the release sequence that it replaces.
      let (done, current) = newest.weakCompareExchange(
        expected: seen, desired: entry, successOrdering: .releasing, failureOrdering: .relaxed)
      if done { return seen == Self.asleep }
      seen = current
    }
  }

  /// Whether a look is worth the exchange. Relaxed: a late answer only delays the entry to the next look, and before
  /// sleeping `fallAsleep` looks for certain.
  @inline(__always)
  var mayHaveEntries: Bool { newest.load(ordering: .relaxed) > Self.asleep }

  /// The loop's thread only: declares that the loop is going to sleep. False: there are entries, do not sleep.
  func fallAsleep() -> Bool {
    // Relaxed: nothing is read through the word on success, and on failure `takeAll` acquires. That a producer sees
    // `asleep` or the loop sees its entry follows from both changing one word.
    newest.compareExchange(expected: Self.empty, desired: Self.asleep, ordering: .relaxed).exchanged
  }

  /// The loop's thread only: takes all entries, oldest first, and is awake afterwards.
  func takeAll(_ body: (Entry) -> Void) {
    // Acquiring: pairs with the releasing swaps of all producers whose entries are in the list.
    var entry = newest.exchange(Self.empty, ordering: .acquiring)
    guard entry > Self.asleep else { return }
    var oldest = Self.empty
    while entry != Self.empty {
      let address = Self.address(of: entry)
      let next = address.load(fromByteOffset: JobLayout.link, as: UInt.self)
      address.storeBytes(of: oldest, toByteOffset: JobLayout.link, as: UInt.self)
      oldest = entry
      entry = next
    }
    while oldest != Self.empty {
      let address = Self.address(of: oldest)
      let isMail = oldest & Self.mailBit != 0
      // Read before the entry is handed on: whoever gets it may link it elsewhere or free it.
      oldest = address.load(fromByteOffset: JobLayout.link, as: UInt.self)
      body(isMail ? .mail(address) : .job(address))
    }
  }

  private static func address(of entry: UInt) -> UnsafeMutableRawPointer {
    guard let address = UnsafeMutableRawPointer(bitPattern: entry & ~mailBit) else {
      preconditionFailure("an inbox entry has an address")
    }
    return address
  }
}
