// model-threads: POSIX threads that block.

import ModelKit
import Workloads

@main
enum ThreadsModel {
  static func main() {
    Model(
      name: "threads",
      idiom: "a blocking thread per unit and per connection, work items on a pool of threads; mutexes and semaphores",
      [
        .supported(.fanOut, variants: ["gather"]) { session in try FanOutServer.serve(session) },
        .supported(.timerStorm, variants: ["callback"]) { session in try TimerStormSlots.run(session) },
        .supported(.pipeline) { session in try PipelineChains.run(session) },
        .supported(.blockingMix) { session in try BlockingMixServer.serve(session) },
        .supported(.spawnTree) { session in try SpawnTreeForest.run(session) },
        .supported(.pingPong) { session in try PingPongGame.play(session) },
        .supported(.brigade) { session in try BrigadeRing.run(session) },
        .supported(.parked) { session in try ParkedCrowd.run(session) },
        .supported(.contention) { session in try ContentionCrowd.run(session) },
        .supported(.channel) { session in try ChannelCrowd.run(session) },
      ]
    ).run()
  }
}
