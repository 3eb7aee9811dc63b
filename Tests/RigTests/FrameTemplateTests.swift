import Testing
import Workloads

@testable import Rig

@Suite("Frame templates")
struct FrameTemplateTests {
  @Test("the sum known in advance is the checksum of the whole frame", arguments: [24, 64, 512, 65_536])
  func sums(bytes: Int) {
    let templates = FrameTemplates(bytes: bytes, SeededDraws(seed: 2, for: .payloads), firstWord: 0)
    for template in 0..<FrameTemplates.count {
      let header = FanOut.Header(
        .subReply, length: bytes, index: 63 - template, id: UInt64.max - UInt64(template), value: 0x8000_0000_0000_0001)
      #expect(templates.checksum(template, header) == FanOut.checksum(templates.frame(template, header)))
    }
  }

  @Test("a payload matches its own template only, and not with one byte changed")
  func matches() {
    let templates = FrameTemplates(bytes: 64, SeededDraws(seed: 2, for: .payloads), firstWord: 0)
    var copy = Array(templates.frame(3, FanOut.Header(.subRequest, length: 64, id: 1, value: 2)))
    for template in 0..<FrameTemplates.count {
      #expect(copy.withUnsafeBytes { templates.matches($0, template) } == (template == 3))
    }
    copy[63] ^= 1
    #expect(!copy.withUnsafeBytes { templates.matches($0, 3) })
  }
}
