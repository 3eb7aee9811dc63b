// model-dispatch: Grand Central Dispatch, nothing that blocks.

import ModelKit
import Workloads

@main
enum DispatchModel {
  static func main() {
    Model(
      name: "dispatch",
      idiom:
        "a serial queue per worker as target of its read sources; requests and sub-requests are blocks, groups join",
      [
        .supported(.fanOut, variants: ["gather"]) { session in try FanOutServer.serve(session) },
        .supported(.timerStorm) { session in try Storm.rage(session) },
        .supported(.parked) { session in try ParkingLot.fill(session) },
        .supported(.pipeline) { session in try PipelinePlant.run(session) },
        .supported(.blockingMix) { session in try BlockingMixServer.serve(session) },
        .supported(.spawnTree) { session in try SpawnForest.grow(session) },
        .supported(.pingPong) { session in try PingPongGame.play(session) },
        .supported(.brigade) { session in try BrigadeDriver.pass(session) },
        .supported(.contention) { session in try ContentionCrowd.press(session) },
        .supported(.channel) { session in try ChannelMarket.open(session) },
      ]
    ).run()
  }
}
