import Testing
import Workloads

@testable import Rig

@Suite("Delay queue")
struct DelayQueueTests {
  @Test("slots come out in the order of their due times, those due together in the order of their coming")
  func order() {
    var queue = DelayQueue(capacity: 2_000)
    var random = SplitMix64(seed: 4)
    var pushed: [(due: UInt64, slot: Int)] = []
    for slot in 0..<2_000 {
      let due = random.next() % 300
      queue.push(slot, due: due)
      pushed.append((due, slot))
    }
    let expected = pushed.sorted { ($0.due, $0.slot) < ($1.due, $1.slot) }
    for entry in expected {
      let due = queue.firstDue
      let slot = queue.pop()
      #expect(due == entry.due && slot == entry.slot)
    }
    let (isEmpty, due) = (queue.isEmpty, queue.firstDue)
    #expect(isEmpty && due == .max)
  }

  @Test("pushes and pops in any order agree with a sorted list")
  func interleaved() {
    var queue = DelayQueue(capacity: 64)
    var random = SplitMix64(seed: 12)
    var model: [(due: UInt64, order: Int, slot: Int)] = []
    for step in 0..<20_000 {
      if model.count < 64, random.next() % 2 == 0 || model.isEmpty {
        let due = random.next() % 50 + UInt64(step / 100)
        queue.push(step % 64, due: due)
        model.append((due, step, step % 64))
      } else {
        let first = model.indices.min { (model[$0].due, model[$0].order) < (model[$1].due, model[$1].order) }!
        let slot = queue.pop()
        #expect(slot == model.remove(at: first).slot)
      }
      let count = queue.count
      #expect(count == model.count)
    }
  }
}
