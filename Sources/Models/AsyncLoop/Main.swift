// model-async-loop: async/await on event loops of our own.

import ModelKit
import Workloads

@main
enum AsyncLoopModel {
  static func main() {
    Model(
      name: "async-loop",
      idiom:
        "async/await on one epoll loop per worker; requests and sub-requests are child tasks, task groups join them",
      [.supported(.fanOut, variants: ["gather"]) { session in try serveFanOut(session) }]
    ).run()
  }
}
