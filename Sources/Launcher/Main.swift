// switchyard-launch: prepares a child of the harness and becomes it, keeping its process id.
//
//     switchyard-launch --parent PID [--cpus 0,1] -- PROGRAM [ARGUMENT...]
//
// It sets what must be alike for every model and what must be set before the first thread starts: the processors, the
// timer slack, the limit of open files. And it asks the kernel to kill the child when the harness dies, however it
// dies. The harness spawns from one thread that lives as long as it does, as PR_SET_PDEATHSIG needs.

import CLinux
import Glibc

@main
enum Launcher {
  static func main() {
    var arguments = CommandLine.arguments.dropFirst()
    guard arguments.popFirst() == "--parent", let parent = arguments.popFirst().flatMap(pid_t.init) else {
      refuse(usage)
    }
    var processors: [Int32] = []
    if arguments.first == "--cpus" {
      arguments.removeFirst()
      let list = arguments.popFirst() ?? ""
      for part in list.split(separator: ",", omittingEmptySubsequences: false) {
        guard let processor = Int32(part) else { refuse("'\(list)' is no list of processors: expected as in 0,1") }
        processors.append(processor)
      }
    }
    guard arguments.popFirst() == "--", let program = arguments.first else { refuse(usage) }
    clinux_set_parent_death_signal(SIGKILL)
    if getppid() != parent { exit(EXIT_FAILURE) }  // the harness was gone before the request took effect
    clinux_set_timer_slack(1)
    clinux_raise_file_limit()
    if !processors.isEmpty {
      let result = clinux_set_affinity(processors, Int32(processors.count))
      if result < 0 { refuse("processors \(processors) cannot be had: \(String(cString: strerror(-result)))") }
    }
    var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    vector.append(nil)
    execv(program, vector)
    refuse("cannot run '\(program)': \(String(cString: strerror(errno)))")
  }

  static let usage = "expected --parent PID [--cpus 0,1] -- PROGRAM [ARGUMENT...]"

  static func refuse(_ message: String) -> Never {
    let line = "switchyard-launch: \(message)\n"
    _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    exit(127)
  }
}
