import Testing

@testable import Harness

@Suite struct InboxTests {
  private let soon = ContinuousClock.now + .milliseconds(20)
  private let never = ContinuousClock.now + .seconds(3600)

  @Test func `what the other side says waits its turn`() async {
    let inbox = Inbox()
    _ = inbox.post([1], from: .rig)
    _ = inbox.post([2], from: .model)
    _ = inbox.post([3], from: .rig)
    #expect(await inbox.next(from: .model, watching: [.rig, .model], until: never) == .line([2]))
    #expect(await inbox.next(from: .rig, watching: [.rig, .model], until: never) == .line([1]))
    #expect(await inbox.next(from: .rig, watching: [.rig, .model], until: never) == .line([3]))
  }

  @Test func `lines come before the end that follows them`() async {
    let inbox = Inbox()
    _ = inbox.post([1], from: .model)
    inbox.close(.model)
    #expect(await inbox.next(from: .model, watching: [.model], until: never) == .line([1]))
    #expect(await inbox.next(from: .model, watching: [.model], until: never) == .closed(.model))
  }

  @Test func `the end of a side that is watched ends the wait for the other`() async {
    let inbox = Inbox()
    inbox.close(.model)
    #expect(await inbox.next(from: .rig, watching: [.rig, .model], until: never) == .closed(.model))
    #expect(await inbox.next(from: .rig, watching: [.rig], until: soon) == .late)
  }

  @Test func `a wait ends at its deadline, also at one that has passed`() async {
    let inbox = Inbox()
    #expect(await inbox.next(from: .rig, watching: [.rig], until: soon) == .late)
    #expect(await inbox.next(from: .rig, watching: [.rig], until: .now - .seconds(1)) == .late)
    _ = inbox.post([1], from: .rig)
    #expect(await inbox.next(from: .rig, watching: [.rig], until: .now - .seconds(1)) == .line([1]))
  }

  @Test func `a line wakes whoever waits for it`() async {
    let inbox = Inbox()
    async let arrival = inbox.next(from: .rig, watching: [.rig], until: never)
    _ = inbox.post([2], from: .model)
    _ = inbox.post([1], from: .rig)
    #expect(await arrival == .line([1]))
  }

  @Test func `an interruption comes before everything else`() async {
    let inbox = Inbox()
    _ = inbox.post([1], from: .rig)
    inbox.interrupt()
    #expect(await inbox.next(from: .rig, watching: [.rig], until: never) == .interrupted)
  }

  @Test func `lines that nobody asked for are limited`() {
    let inbox = Inbox()
    for _ in 1..<Inbox.unreadLimit { #expect(inbox.post([], from: .model)) }
    #expect(!inbox.post([], from: .model))
  }
}
