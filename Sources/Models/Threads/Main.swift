// model-threads: POSIX threads that block.

import ModelKit
import Workloads

@main
enum ThreadsModel {
  static func main() {
    Model(
      name: "threads",
      idiom: "a blocking thread per connection, requests and sub-requests on a pool of threads; mutexes and conditions",
      [.supported(.fanOut, variants: ["gather"]) { session in try FanOutServer.serve(session) }]
    ).run()
  }
}
