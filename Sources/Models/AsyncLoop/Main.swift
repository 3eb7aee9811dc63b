// model-async-loop: async/await on event loops of our own.

import ModelKit
import Workloads

@main
enum AsyncLoopModel {
  static func main() {
    Model(
      name: "async-loop",
      idiom:
        "async/await on one epoll loop per worker: a task per unit, suspended wherever it waits; nothing is stolen",
      [
        .supported(.fanOut, variants: ["gather"]) { session in try serveFanOut(session) },
        .supported(.timerStorm) { session in try runTimerStorm(session) },
        .supported(.pipeline) { session in try runPipeline(session) },
        .supported(.blockingMix) { session in try serveBlockingMix(session) },
        .supported(.spawnTree) { session in try runSpawnTree(session) },
        .supported(.pingPong) { session in try runPingPong(session) },
        .supported(.brigade) { session in try runBrigade(session) },
        .supported(.parked) { session in try runParked(session) },
        .supported(.contention) { session in try runContention(session) },
        .supported(.channel) { session in try runChannel(session) },
      ]
    ).run()
  }
}
