// The wheel against a sorted list, on random timers over many orders of magnitude.
import EventLoop
import Testing

@Suite struct TimingWheelTests {
  @Test("timers fire once, in order, never early and at most a tick late", arguments: 1...20 as ClosedRange<UInt64>)
  func firesLikeASortedList(seed: UInt64) {
    var random = Generator(state: seed)
    var now: UInt64 = random.next() % (1 << 50)
    var wheel = TimingWheel(nanoseconds: now)
    var pending: [UnsafeMutablePointer<TimerLinks>: UInt64] = [:]
    defer { for node in pending.keys { node.deallocate() } }
    for _ in 0..<3000 {
      switch random.next() % 8 {
      case 0...4:
        let node = UnsafeMutablePointer<TimerLinks>.allocate(capacity: 1)
        node.initialize(to: TimerLinks())
        // From nothing to days: every level is used.
        let deadline = now + random.next() % (1 << (random.next() % 48))
        wheel.insert(node, deadlineNanoseconds: deadline)
        pending[node] = deadline
      case 5:
        guard let node = pending.keys.randomElement(using: &random) else { continue }
        wheel.remove(node)
        wheel.remove(node)
        pending[node] = nil
        node.deallocate()
      default:
        if let next = wheel.nextDeadline(), let earliest = pending.values.min() {
          #expect(next <= earliest + 1024, "the loop would sleep past a deadline")
        }
        now += random.next() % (1 << (random.next() % 46))
        var last: UInt64 = 0
        wheel.expire(nanoseconds: now)
        // What is due can still be cancelled, and moved, by what has been taken out before it.
        let doomed = pending.filter { $0.value <= now }.keys.randomElement(using: &random)
        if let doomed, random.next() % 2 == 0 {
          wheel.remove(doomed)
          if random.next() % 2 == 0 {
            pending[doomed] = now + 4096
            wheel.insert(doomed, deadlineNanoseconds: now + 4096)
          } else {
            pending[doomed] = nil
            doomed.deallocate()
          }
        }
        while let node = wheel.popDue() {
          let deadline = pending.removeValue(forKey: node)
          #expect(deadline.map { $0 <= now } == true, "fired early or twice")
          #expect((deadline ?? 0) / 1024 + 1 >= last, "fired out of order")
          last = (deadline ?? 0) / 1024
          node.deallocate()
        }
        #expect(pending.values.allSatisfy { $0 + 1024 > now }, "a timer is overdue")
      }
      #expect(wheel.count == pending.count)
      #expect((wheel.nextDeadline() == nil) == pending.isEmpty)
    }
  }

  @Test("deadlines at the end of time are kept") func endOfTime() {
    var wheel = TimingWheel(nanoseconds: 0)
    let node = UnsafeMutablePointer<TimerLinks>.allocate(capacity: 1)
    defer { node.deallocate() }
    node.initialize(to: TimerLinks())
    wheel.insert(node, deadlineNanoseconds: .max)
    wheel.expire(nanoseconds: .max - 4096)
    #expect(wheel.popDue() == nil)
    #expect(wheel.count == 1)
    wheel.expire(nanoseconds: .max)
    #expect(wheel.popDue() == node)
    #expect(wheel.count == 0)
  }
}

private struct Generator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
