import Testing
import Workloads

@testable import Rig

@Suite("fan-out's load")
struct FanOutLoadTests {
  private func subRequest(_ load: inout FanOutLoad, id: UInt64, _ index: Int, on backend: Int) -> Disposition {
    var frame = Array(load.requestFrame(on: 0))
    frame.withUnsafeMutableBytes { bytes in
      var header = FanOut.Header(reading: UnsafeRawBufferPointer(bytes))
      header.kind = FanOut.Header.Kind.subRequest.rawValue
      header.index = index
      header.write(to: bytes)
    }
    return frame.withUnsafeBytes { load.subRequest($0, on: backend, of: 0, at: 1) }
  }

  private func released(_ load: inout FanOutLoad) -> Set<Int> {
    var backends: Set<Int> = []
    while let (backend, _) = load.nextReleased() { backends.insert(backend) }
    return backends
  }

  @Test("the gate opens when the last sibling has arrived, and a connection closed behind it is not answered")
  func gate() throws {
    var load = FanOutLoad(try FanOut.Parameters([:]), seed: 1, isGated: true)
    load.begin(1, on: 0, at: 1)
    for index in 0..<7 {
      let disposition = subRequest(&load, id: 1, index, on: 10 + index)
      #expect(disposition.delay == nil && disposition.isProgress)
    }
    #expect(released(&load).isEmpty)
    let wasHeld = load.abandon(13)
    let isHeldStill = load.abandon(13)
    #expect(wasHeld && !isHeldStill)
    _ = subRequest(&load, id: 1, 7, on: 17)
    #expect(released(&load) == [10, 11, 12, 14, 15, 16, 17])
  }

  @Test("giving up releases what is withheld, counts it, and withholds nothing more")
  func givesUp() throws {
    var load = FanOutLoad(try FanOut.Parameters([:]), seed: 1, isGated: true)
    load.begin(1, on: 0, at: 1)
    for index in 0..<3 { _ = subRequest(&load, id: 1, index, on: index) }
    let any = load.releaseStuck()
    let again = load.releaseStuck()
    #expect(any && !again)
    #expect(released(&load) == [0, 1, 2])
    #expect(subRequest(&load, id: 1, 3, on: 3).delay == 1_000_000)
    let ledger = load.ledger(requestsSent: 1, requestsAnswered: 0, backendPeak: 4)
    #expect(ledger["gatesStuck"] == 1)
    #expect(ledger["gateReached"] == 3)
    #expect(Set(ledger.counts.keys) == Set(FanOut.RigCount.allCases.map(\.rawValue)))
  }

  @Test("service times belong to the id and the index, whichever connection they come on and whenever")
  func serviceTimes() throws {
    let parameters = try FanOut.Parameters(["serviceTime": .text("exponential(1ms)")])
    var one = FanOutLoad(parameters, seed: 1, isGated: false)
    var two = FanOutLoad(parameters, seed: 1, isGated: false)
    one.begin(9, on: 0, at: 1)
    two.begin(9, on: 0, at: 1)
    let forward = (0..<8).map { subRequest(&one, id: 9, $0, on: $0).delay }
    let backward = (0..<8).reversed().map { subRequest(&two, id: 9, $0, on: 20 + $0).delay }
    #expect(forward == backward.reversed())
    #expect(Set(forward).count == 8)
  }
}
