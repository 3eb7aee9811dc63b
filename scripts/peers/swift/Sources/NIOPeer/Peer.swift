// SwiftNIO: one event loop of MultiThreadedEventLoopGroup, driven by callbacks on the loop, as its users do. A unit that
// yields is a closure that enqueues itself again; a unit that is spawned and joined, a submitted closure and its future;
// one that is parked, a promise with a callback.
import Measure
import NIOCore
import NIOPosix

/// Runs a row on the loop; the main thread waits for the future that it returns.
func row(_ name: String, _ body: @escaping @Sendable (Run, any EventLoop) throws -> EventLoopFuture<Void>) -> Row {
  Row(name) { run in
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    do {
      try loop.flatSubmit { () -> EventLoopFuture<Void> in
        do { return try body(run, loop) } catch { return loop.makeFailedFuture(error) }
      }.wait()
      try group.syncShutdownGracefully()
    } catch { run.fail("\(error)") }
  }
}

/// What the closures of one row count together. Unchecked: they all run on one loop.
final class Counts: @unchecked Sendable {
  var started = 0
  var finished = 0
  var counted = 0
}

/// Unchecked: used on its loop only.
final class Yielder: @unchecked Sendable {
  private let loop: any EventLoop
  private let run: Run
  private let units: Int
  private let counts: Counts
  private let done: EventLoopPromise<Void>
  private var left: Int

  init(_ loop: any EventLoop, _ run: Run, units: Int, rounds: Int, _ counts: Counts, _ done: EventLoopPromise<Void>) {
    (self.loop, self.run, self.units, self.counts, self.done) = (loop, run, units, counts, done)
    left = rounds
  }

  func begin() {
    counts.started += 1
    if counts.started == units { run.start() }
    wait()
  }

  private func wait() {
    if counts.started < units { loop.execute { self.wait() } } else { step() }
  }

  private func step() {
    if left > 0 {
      left -= 1
      counts.counted += 1
      return loop.execute { self.step() }
    }
    counts.finished += 1
    if counts.finished == units {
      run.stop()
      done.succeed(())
    }
  }
}

func yieldAmong(_ units: Int, _ run: Run, _ loop: any EventLoop) -> EventLoopFuture<Void> {
  let rounds = max(1, run.scaled(2_000_000) / units)
  let counts = Counts()
  let done = loop.makePromise(of: Void.self)
  for _ in 0..<units {
    let unit = Yielder(loop, run, units: units, rounds: rounds, counts, done)
    loop.execute { unit.begin() }
  }
  return done.futureResult.map {
    run.expect(counts.counted, units * rounds, "yields")
    run.report(units * rounds)
  }
}

func spawnJoin(_ run: Run, _ loop: any EventLoop) -> EventLoopFuture<Void> {
  let count = run.scaled(500_000)
  let warm = count / 10 + 1
  let counts = Counts()
  let done = loop.makePromise(of: Void.self)
  @Sendable func next() {
    if counts.counted == warm { run.start() }
    if counts.counted == warm + count {
      run.stop()
      return done.succeed(())
    }
    loop.submit { counts.counted += 1 }.whenComplete { _ in next() }
  }
  next()
  return done.futureResult.map {
    run.expect(counts.counted, warm + count, "closures run")
    run.report(count)
  }
}

func spawnJoinBatch(_ run: Run, _ loop: any EventLoop) -> EventLoopFuture<Void> {
  let batch = 1000
  let batches = run.scaled(500)
  let warm = batches / 10 + 1
  let counts = Counts()
  let done = loop.makePromise(of: Void.self)
  @Sendable func next() {
    if counts.finished == warm { run.start() }
    if counts.finished == warm + batches {
      run.stop()
      return done.succeed(())
    }
    counts.finished += 1
    let futures = (0..<batch).map { _ in loop.submit { counts.counted += 1 } }
    EventLoopFuture.andAllSucceed(futures, on: loop).whenComplete { _ in next() }
  }
  next()
  return done.futureResult.map {
    run.expect(counts.counted, (warm + batches) * batch, "closures run")
    run.report(batches * batch)
  }
}

func tree(_ run: Run, _ loop: any EventLoop) -> EventLoopFuture<Void> {
  let size = run.treeLeaves
  @Sendable func leaves(_ first: Int, _ size: Int) -> EventLoopFuture<Int> {
    if size == 1 { return loop.makeSucceededFuture(first) }
    let part = size / 10
    let children = (0..<10).map { i in loop.flatSubmit { leaves(first + i * part, part) } }
    return EventLoopFuture.reduce(0, children, on: loop, +)
  }
  run.start()
  return leaves(0, size).map { sum in
    run.stop()
    run.expect(sum, size * (size - 1) / 2, "as the sum of the leaves")
    run.report(size)
  }
}

func parked(_ run: Run, _ loop: any EventLoop) -> EventLoopFuture<Void> {
  let many = max(10, run.scaled(1_000_000))
  let counts = Counts()
  var promises: [EventLoopPromise<Void>] = []
  promises.reserveCapacity(many)
  func park(until count: Int) -> ParkedMemory {
    while promises.count < count {
      let promise = loop.makePromise(of: Void.self)
      promise.futureResult.whenComplete { _ in counts.counted += 1 }
      promises.append(promise)
    }
    return run.parkedMemory(count)
  }
  run.start()
  let few = park(until: many / 10)
  let most = park(until: many)
  run.stop()
  for promise in promises { promise.succeed(()) }
  run.expect(counts.counted, many, "callbacks run")
  run.reportParked(few, most)
  return loop.makeSucceededVoidFuture()
}

final class EchoHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private let counts: Counts
  private let connections: Int
  private let done: EventLoopPromise<Void>

  init(_ counts: Counts, connections: Int, _ done: EventLoopPromise<Void>) {
    (self.counts, self.connections, self.done) = (counts, connections, done)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    counts.counted += unwrapInboundIn(data).readableBytes
    context.write(data, promise: nil)
  }

  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

  func channelInactive(context: ChannelHandlerContext) {
    counts.finished += 1
    if counts.finished == connections { done.succeed(()) }
  }
}

func echo(_ run: Run, _ loop: any EventLoop, connections: Int) -> EventLoopFuture<Void> {
  let counts = Counts()
  let done = loop.makePromise(of: Void.self)
  run.start()
  return ServerBootstrap(group: loop)
    .serverChannelOption(.backlog, value: 4096)
    .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    .childChannelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(EchoHandler(counts, connections: connections, done))
      }
    }
    .bind(host: "127.0.0.1", port: 0)
    .flatMap { listener in
      announce("{\"port\":\(listener.localAddress?.port ?? 0)}")
      return done.futureResult.flatMap { listener.close() }
    }
    .map {
      run.stop()
      run.report(counts.counted / 64)
    }
}

@main
struct Peer {
  static func main() {
    runPeer(
      "swift-nio",
      [
        row("yield-2") { yieldAmong(2, $0, $1) },
        row("yield-1k") { yieldAmong(1000, $0, $1) },
        row("yield-100k") { yieldAmong(100_000, $0, $1) },
        row("spawn-join", spawnJoin),
        row("spawn-join-batch", spawnJoinBatch),
        row("sleep-overshoot", sleepOvershoot),
        row("timer-sleep", timerSleep),
        row("timer-fire", timerFire),
        row("timer-cancel", timerCancel),
        row("tree", tree),
        row("parked", parked),
        row("echo-pair") { echo($0, $1, connections: 1) },
        row("echo-1k") { echo($0, $1, connections: 1000) },
      ])
  }
}
