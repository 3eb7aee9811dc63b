// timer-storm with async/await. Idiom: a task per slot, which waits in a continuation; a callback timer of its loop, made
// once and armed anew each time, resumes it at the deadline, and whoever cancels that timer resumes it otherwise.
//
// `EventLoop.sleep` is how a task sleeps, but only the cancellation of the task ends it early, and that is for good: a
// task that outlives its timeouts needs a wait of its own, as a connection that waits for its peer or for a timeout. All
// of it is confined to one loop, the canceller too: slot s, its task, its timer, and the pacer or canceller that picks it
// are on loop s modulo `workers`. So a cancel is a list entry taken out and a job put in, with no lock, no atomic and no
// other thread, and who has claimed the timer is plain to see: it is in the wheel or it is not.

import EventLoop
import ModelKit
import Workloads

func runTimerStorm(_ session: Session) throws {
  let parameters = try session.parameters(TimerStorm.Parameters.init)
  try Limits.admit(units: parameters.outstanding, bytes: parameters.outstanding * StormShare.bytesPerSlot)
  try Conductor.run(session, loops: session.request.workers) { conductor in
    var window = try await conductor.begin()
    let loops = EventLoops.all
    let isPaced = parameters.load != .flatOut
    let recorders = isPaced ? Recorders(count: min(loops.count, Recorders.most)) : nil
    let shared = recorders.map { all in (0..<all.count).map { SharedRecorder(all[$0]) } } ?? []
    let stop = StopFlag()
    let schedule = TimerStorm.Schedule(parameters, seed: session.request.seed, isGated: session.isGated)
    let shares = loops.indices.map { index in
      StormShare(
        parameters, schedule, index: index, loops: loops.count,
        recorder: shared.isEmpty ? nil : shared[index % shared.count], stop)
    }
    var armed = 0
    for starting in zip(loops, shares).map({ loop, share in loop.spawn { await share.start(on: loop) } }) {
      armed += try await starting.value
    }
    if monotonicNanoseconds() >= window.opens { window = try session.window() }
    let (start, measured) = (monotonicNanoseconds(), window)
    let storms = zip(loops, shares).map { loop, share in loop.spawn { try await share.storm(from: start, measured) } }

    try await conductor.conduct(measured) {
      stop.raise()
      for share in shares { share.ended.release() }
      var total = StormShare.Counts()
      for storm in storms { total.add(try await storm.value) }
      return (
        total.ledger(armedAtStart: armed),
        InProcessResult(operations: total.operations, latencies: recorders?.merged() ?? [:])
      )
    }
  }
}
