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
      [.supported(.fanOut, variants: ["gather"]) { session in try FanOutServer.serve(session) }]
    ).run()
  }
}
