// model-green-threads: stackful units on a few threads.

import ModelKit
import Workloads

@main
enum GreenThreadsModel {
  static func main() {
    Model(
      name: "green-threads",
      idiom: "sequential code on stackful units that cost a page each: whatever waits is a unit of its own, and parks",
      [
        .supported(.fanOut, variants: ["gather"]) { session in try FanOutServer.serve(session) },
        .supported(.timerStorm, variants: ["callback"]) { session in try TimerStormTrial.run(session) },
        .supported(.pipeline) { session in try PipelineTrial.run(session) },
        .supported(.blockingMix) { session in try BlockingMixServer.serve(session) },
        .supported(.spawnTree) { session in try SpawnTreeTrial.run(session) },
        .supported(.pingPong) { session in try PingPongTrial.run(session) },
        .supported(.brigade) { session in try BrigadeTrial.run(session) },
        .supported(.parked) { session in try ParkedTrial.run(session) },
        .supported(.contention) { session in try ContentionTrial.run(session) },
        .supported(.channel) { session in try ChannelTrial.run(session) },
      ]
    ).run()
  }
}
