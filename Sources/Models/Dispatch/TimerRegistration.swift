// When a timer is really armed: activating a timer source only leaves it to Dispatch's manager thread, which owns the heap
// of timers.

import Dispatch

/// Waits until the manager thread has all timers that have been activated before: it takes them in their order. Never on
/// that queue.
func waitForTimers(on queue: DispatchQueue) {
  let registered = DispatchSemaphore(value: 0)
  let last = DispatchSource.makeTimerSource(queue: queue)
  last.schedule(deadline: .now() + .seconds(3_600))
  last.setRegistrationHandler { registered.signal() }
  last.activate()
  registered.wait()
  last.cancel()
}
