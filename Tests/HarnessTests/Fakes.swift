// A model and a rig that misbehave on request: one Python script each, which does what its file's name says. The fake
// rig sends no traffic, so that what is tested here is the harness alone.

import Foundation
import ResultFormat
import Workloads

@testable import Harness

/// A folder laid out as a build is: the launcher, a rig, models; removed with the value.
final class FakeInstallation: Sendable {
  let folder: String

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("harness-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try place(Built.path("switchyard-launch"), as: "switchyard-launch")
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func executables(rig: String = "honest-rig") throws -> Executables {
    Executables(folder: folder, rig: try write(fakeRig, as: rig))
  }

  func model(_ behaviour: String) throws -> ModelProgram {
    ModelProgram(name: behaviour, path: try write(fakeModel, as: behaviour), isGuest: true)
  }

  @discardableResult
  func write(_ script: String, as name: String) throws -> String {
    let path = "\(folder)/\(name)"
    if FileManager.default.fileExists(atPath: path) { return path }
    try script.write(toFile: path, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    return path
  }

  /// A hard link where possible: debug executables are large.
  func place(_ path: String, as name: String) throws {
    do {
      try FileManager.default.linkItem(atPath: path, toPath: "\(folder)/\(name)")
    } catch {
      try FileManager.default.copyItem(atPath: path, toPath: "\(folder)/\(name)")
    }
  }
}

/// The package's executables, which stand beside the test bundle.
enum Built {
  static func path(_ name: String) -> String {
    var folder = Bundle.main.bundleURL
    for _ in 0..<4 {
      let candidate = folder.appendingPathComponent(name).path
      if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
      folder.deleteLastPathComponent()
    }
    return "\(Bundle.main.bundlePath)/\(name)"
  }
}

extension TrialOrder {
  /// A quick trial on fan-out; waits are long where nothing is meant to hang.
  static func quick(_ model: ModelProgram, window: Duration = .milliseconds(150)) -> TrialOrder {
    TrialOrder(
      model: model, workload: .fanOut, parameters: Workload.fanOut.defaults, seed: 1, warmUp: .zero, window: window,
      processors: ProcessorSets(available: []), deadlines: .generous)
  }
}

extension TrialOrder.Deadlines {
  /// Longer than any host takes the processors away. What is meant to hang shortens the wait that it hangs in.
  static let generous = Self(
    rig: .seconds(120), ready: .seconds(120), edge: .seconds(120), patience: .seconds(120), load: .seconds(120),
    work: .seconds(120), drain: .seconds(120), exit: .seconds(120))
}

/// Plays its part and counts 20 requests.
let fakeRig = """
  #!/usr/bin/env python3
  import json, os, sys, time
  behaviour = os.path.basename(sys.argv[0])
  def say(**reply):
      print(json.dumps(reply), flush=True)
  def now():
      return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
  for line in sys.stdin:
      command = json.loads(line)
      if command["command"] == "load":
          load = command["load"]
          width = load["parameters"]["width"]
          if behaviour == "mute-rig":
              continue
          say(reply="listening", port=1)
      elif command["command"] == "connect":
          start = now()
          say(reply="edge", edge="open", monotonicNanoseconds=start)
          if behaviour == "dying-rig":
              os._exit(3)
          time.sleep(min(load["windowNanoseconds"], 60e9 if load.get("operations") is None else 1e8) / 1e9)
          end = now()
          say(reply="edge", edge="close", monotonicNanoseconds=end)
          if behaviour == "failing-rig":
              say(reply="failure", reason="the moon is in the way")
              sys.exit(1)
          say(reply="drained")
      elif command["command"] == "finish":
          ledger = {"requestsSent": 20, "requestsAnswered": 20, "subRequestsReceived": 20 * width,
                    "backendConnectionsPeak": 1}
          say(reply="result", result={
              "windowOpenNanoseconds": start, "windowCloseNanoseconds": end, "operations": 20, "offered": 20,
              "latencies": {"all": [[1000000, 20]], "added": [[1000, 20]]}, "sendLateness": [[100, 20]],
              "backendLateness": [[100, 160]], "busyNanoseconds": (end - start) // 10,
              "cpuNanoseconds": end - start, "isComplete": True, "ledger": ledger})
  """

/// Serves nothing, but says all the right things, except where its name says otherwise.
let fakeModel = """
  #!/usr/bin/env python3
  import glob, json, os, resource, signal, socket, subprocess, sys, time
  behaviour = os.path.basename(sys.argv[0]).removeprefix("model-")
  def say(**reply):
      print(json.dumps(reply), flush=True)
  def forever():
      while True:
          time.sleep(1000)
  def ledger(requests, width):
      return {"requestsReceived": requests, "requestsAnswered": requests, "subRequestsSent": requests * width,
              "subRepliesReceived": requests * width, "unitsStarted": requests * (1 + width),
              "unitsFinished": requests * (1 + width), "clientConnectionsAccepted": 1, "clientConnectionsClosed": 1,
              "backendConnectionsOpened": 1, "backendConnectionsClosed": 1}
  def fail(state, reason, reached=None):
      say(reply="failure", failure={"state": state, "reason": reason, "reached": reached})
      sys.exit(1)
  def is_held():
      # A file beside the program may bound a run: a line with its folder, a line with the trials that may be finished.
      try:
          with open(os.path.join(os.path.dirname(sys.argv[0]), "hold")) as file:
              folder, bound = file.read().splitlines()
      except FileNotFoundError:
          return False
      return len(glob.glob(os.path.join(glob.escape(folder), "trials", "*", "trial.json"))) >= int(bound)
  if behaviour == "hangs-silently":
      forever()
  for line in sys.stdin:
      command = json.loads(line)
      if command["command"] == "describe":
          if behaviour == "describes-nonsense":
              print("I am a model", flush=True)
              continue
          say(reply="description", protocol=1, description={
              "model": "fake", "idiom": "pretends", "allocator": None, "workloads": [
                  {"workload": "fan-out", "variants": ["gather"],
                   "unsupported": "no hands" if behaviour == "declines" else None}]})
      elif command["command"] == "trial":
          width = command["trial"]["parameters"]["width"]
          while is_held(): time.sleep(0.01)
          if behaviour == "hangs-before-ready": forever()
          if behaviour == "exits-with-3": sys.exit(3)
          if behaviour == "exits-with-0": sys.exit(0)
          if behaviour == "prints-garbage": print("Hello, world!", flush=True)
          if behaviour == "declares-limit": fail("limit", "creating a thread failed", 31872)
          if behaviour == "declares-memory": fail("out-of-memory", "no memory")
          if behaviour == "declares-unsupported": fail("unsupported", "not in my idiom")
          if behaviour == "declares-failure": fail("failed", "boom")
          if behaviour == "floods-stderr":
              for _ in range(200): os.write(2, b"e" * (1 << 20))
          if behaviour == "never-ends-its-line":
              while True: os.write(1, b"x" * 65536)
          if behaviour == "talks-without-end":
              while True: os.write(1, b"{}\\n" * 1000)
          if behaviour == "leaves-a-grandchild":
              child = subprocess.Popen(["sleep", "1000"])
              print(child.pid, file=sys.stderr, flush=True)
          server = socket.create_server(("127.0.0.1", 0))
          port = server.getsockname()[1]
          if behaviour == "lies-about-its-port":
              server.close()
          say(reply="ready", port=port)
      elif command["command"] == "edge":
          if behaviour == "hangs-at-the-edge": forever()
          if behaviour == "dies-in-the-window": os.kill(os.getpid(), signal.SIGKILL)
          if behaviour == "closes-its-output":
              os.close(1)
              forever()
          usage = resource.getrusage(resource.RUSAGE_SELF)
          say(reply="edge", edge="close" if behaviour == "mixes-up-edges" else command["edge"], ledger={}, usage={
              "monotonicNanoseconds": time.clock_gettime_ns(time.CLOCK_MONOTONIC),
              "userNanoseconds": int(usage.ru_utime * 1e9), "systemNanoseconds": int(usage.ru_stime * 1e9),
              "voluntarySwitches": usage.ru_nvcsw, "involuntarySwitches": usage.ru_nivcsw,
              "minorFaults": usage.ru_minflt, "majorFaults": usage.ru_majflt})
      elif command["command"] == "drain":
          if behaviour == "hangs-at-drain": forever()
          if behaviour != "leaves-a-socket-open": server.close()
          counts = ledger(19 if behaviour == "answers-one-too-few" else 20, width)
          say(reply="result", ledger=counts, counters={"jokes": 1})
          if behaviour == "goes-on-talking": say(reply="result", ledger=counts)
          if behaviour == "never-exits": forever()
          if behaviour == "exits-badly":
              sys.exit(4)
  """
