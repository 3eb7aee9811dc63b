// A model that does fan-out one request after another on each connection, and breaks the contract on request.

import CLinux
import Foundation
import Glibc
import Workloads

/// What a fake model does wrong, with the requests whose ids are multiples of 5, or from the first on.
enum Fault: String, CaseIterable, Sendable {
  case none
  case writesByteByByte
  case answersTwice, answersUnknownId, answersWithWrongSum, answersEarly, answersGarbage, answersShortFrame
  case skipsSubRequest, repeatsSubRequest, inventsSubRequest, altersToken, altersPayload, sendsGarbageToBackend
  case overlapsSubRequests, oneChildAtATime, opensTooManyBackendConnections
  case closesClientConnection, closesAllClientConnections, neverAnswers, closesBackendConnectionWhileOwed
}

final class FakeModel: @unchecked Sendable {
  // Every stored property is set before the threads start and never changed afterwards.
  let port: UInt16
  private let listener: CInt
  private let backendPort: UInt16
  private let parameters: FanOut.Parameters
  private let fault: Fault
  private let done = DispatchGroup()

  init(_ parameters: FanOut.Parameters, backendPort: UInt16, fault: Fault) {
    self.parameters = parameters
    self.backendPort = backendPort
    self.fault = fault
    listener = clinux_listen_loopback(0, 4_096, 0)
    port = UInt16(clinux_local_port(listener))
    for _ in 0..<parameters.connections {
      done.enter()
      Thread { [self] in
        serveOne()
        done.leave()
      }.start()
    }
  }

  /// Waits until the rig has closed all client connections and the model its own.
  func join() {
    done.wait()
    clinux_close(listener)
  }

  private func serveOne() {
    let client = clinux_accept(listener, 0)
    let extra = fault == .opensTooManyBackendConnections ? parameters.backendConnections : 0
    var backends = (0..<(parameters.width + extra)).map { _ in clinux_connect_loopback(backendPort, 0) }
    while let request = receive(client, parameters.requestBytes) {
      let id = request.withUnsafeBytes { FanOut.Header(reading: $0).id }
      if !serve(request, id, client, &backends) { break }
    }
    clinux_close(client)
    for backend in backends { clinux_close(backend) }
  }

  /// - Returns: whether the connection goes on.
  private func serve(_ request: [UInt8], _ id: UInt64, _ client: CInt, _ backends: inout [CInt]) -> Bool {
    let fault = id % 5 == 0 || id == 1 && self.fault == .closesAllClientConnections ? self.fault : .none
    if self.fault == .closesAllClientConnections || fault == .closesClientConnection { return false }
    var sum: UInt64 = 0
    if fault == .answersEarly { answer(id, 0, client) }
    if self.fault == .oneChildAtATime {
      for index in 0..<parameters.width {
        ask(request, index, backends[index])
        sum &+= reply(backends[index])
      }
    } else {
      for index in 0..<parameters.width {
        switch (fault, index) {
        case (.skipsSubRequest, 2): continue
        // In one go, so that no reply can come between them.
        case (.overlapsSubRequests, 0): send(subRequest(request, 0) + subRequest(request, 1), backends[0])
        case (.overlapsSubRequests, 1): continue
        case (.altersToken, 1): ask(changed(request, at: 16), 1, backends[1])
        case (.altersPayload, 1): ask(changed(request, at: 40), 1, backends[1])
        case (.sendsGarbageToBackend, 1): send([UInt8](repeating: 0xEE, count: parameters.requestBytes), backends[1])
        default: ask(request, index, backends[index])
        }
      }
      if fault == .closesBackendConnectionWhileOwed {
        clinux_close(backends[1])
        backends[1] = clinux_connect_loopback(backendPort, 0)
        ask(request, 1, backends[1])
      }
      for index in 0..<parameters.width {
        switch (fault, index) {
        case (.skipsSubRequest, 2): continue
        case (.overlapsSubRequests, 1): sum &+= reply(backends[0])
        case (.sendsGarbageToBackend, 1):
          clinux_close(backends[1])
          backends[1] = clinux_connect_loopback(backendPort, 0)
        default: sum &+= reply(backends[index])
        }
      }
    }
    switch fault {
    case .repeatsSubRequest:
      ask(request, 3, backends[0])
      _ = reply(backends[0])
    case .inventsSubRequest:
      ask(changed(request, at: 15), 3, backends[0])
      _ = reply(backends[0])
    default: break
    }
    switch fault {
    case .answersEarly: break
    case .neverAnswers: break
    case .answersTwice:
      answer(id, sum, client)
      answer(id, sum, client)
    case .answersUnknownId:
      answer(id + 1_000_000, sum, client)
      answer(id, sum, client)
    case .answersWithWrongSum: answer(id, sum &+ 1, client)
    case .answersGarbage: send([UInt8](repeating: 0xEE, count: 24), client)
    case .answersShortFrame: send([16, 0, 0, 0] + [UInt8](repeating: 0, count: 12), client)
    default: answer(id, sum, client)
    }
    return true
  }

  private func changed(_ bytes: [UInt8], at offset: Int) -> [UInt8] {
    var bytes = bytes
    bytes[offset] ^= 0x55
    return bytes
  }

  private func ask(_ request: [UInt8], _ index: Int, _ backend: CInt) { send(subRequest(request, index), backend) }

  private func subRequest(_ request: [UInt8], _ index: Int) -> [UInt8] {
    var frame = request
    frame.withUnsafeMutableBytes { bytes in
      var header = FanOut.Header(reading: UnsafeRawBufferPointer(bytes))
      header.kind = FanOut.Header.Kind.subRequest.rawValue
      header.index = index
      header.write(to: bytes)
    }
    return frame
  }

  private func reply(_ backend: CInt) -> UInt64 {
    guard let frame = receive(backend, parameters.replyBytes) else { return 0 }
    return frame.withUnsafeBytes { FanOut.checksum($0) }
  }

  private func answer(_ id: UInt64, _ sum: UInt64, _ client: CInt) {
    var frame = [UInt8](repeating: 0, count: FanOut.Header.bytes)
    frame.withUnsafeMutableBytes {
      FanOut.Header(.answer, length: FanOut.Header.bytes, id: id, value: sum).write(to: $0)
    }
    send(frame, client)
  }

  private func send(_ bytes: [UInt8], _ descriptor: CInt) {
    let piece = fault == .writesByteByByte ? 1 : bytes.count
    bytes.withUnsafeBytes { bytes in
      var sent = 0
      while sent < bytes.count {
        let length = clinux_send(descriptor, bytes.baseAddress! + sent, min(piece, bytes.count - sent), 0)
        if length <= 0 { return }
        sent += length
      }
    }
  }

  private func receive(_ descriptor: CInt, _ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    let isWhole = bytes.withUnsafeMutableBytes { bytes in
      clinux_recv(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_WAITALL)) == count
    }
    return isWhole ? bytes : nil
  }
}
