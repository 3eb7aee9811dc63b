// model-green-threads: stackful units on a few threads.

import ModelKit
import Workloads

@main
enum GreenThreadsModel {
  static func main() {
    Model(
      name: "green-threads",
      idiom: "sequential code on stackful units: one per connection, request and sub-request; sockets park the unit",
      [.supported(.fanOut, variants: ["gather"]) { session in try FanOutServer.serve(session) }]
    ).run()
  }
}
