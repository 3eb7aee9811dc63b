// switchyard-rig: the process at the other end of a model's sockets, load generator and backend in one thread.
//
// One thread because the rig must never be what a model waits for: a second one would need a processor of its own, and
// on the two-core machines that the suite has to work on, the model needs that processor. One process for both ends,
// so that "last sub-reply sent" and "answer arrived" are read from the same clock by the same eyes.

import Glibc

@main
enum Main {
  static func main() {
    // A harness that has gone away shows as end of file or EPIPE, not as a signal.
    _ = signal(SIGPIPE, SIG_IGN)
    exit(serve(input: STDIN_FILENO, output: STDOUT_FILENO))
  }
}
