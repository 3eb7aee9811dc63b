// A made-up in-process workload and a model of it that misbehaves on request, so that what is tested is the harness
// alone.

import ResultFormat

@testable import Harness
@testable import Workloads

extension Workload {
  /// Units that count to one.
  static let counting = Workload(
    name: "counting", question: "Can it count?", contract: "Count.", operation: "unit counted", isServed: false,
    parameters: [
      Parameter("units", .integer(1...1_000), default: .integer(20), "units that count"),
      Parameter("state", unit: "bytes", .integer(0...(1 << 30)), default: .integer(0), "memory that they hold"),
    ],
    variants: [], rules: [("units", "each unit counts once"), ("gate", "no unit is done before all have started")],
    rulesOfShares: ["samples"],
    cases: [
      Case(
        name: "counting/few", changes: [:], presets: [.quick, .standard], headlines: ["throughput", "aboveIdlePSS"]),
      Case(
        name: "counting/many", changes: ["units": .integer(40)], presets: [.quick, .standard],
        headlines: ["throughput", "aboveIdlePSS"]),
    ],
    checks: [
      Check(name: "counting/check-plain", purpose: "counts", changes: [:], operations: 20, isGated: false),
      Check(name: "counting/check-gated", purpose: "side by side", changes: [:], operations: 20, isGated: true),
    ],
    judge: { evidence in
      guard case .integer(let units)? = evidence.parameters["units"],
        case .integer(let state)? = evidence.parameters["state"]
      else { return [Finding("units", "no parameters")] }
      var findings: [Finding] = []
      let counted = evidence.model["unitsCounted"] ?? -1
      if counted != units { findings.append(Finding("units", "counted \(counted), expected \(units)")) }
      if evidence.samples != ["all": 20] { findings.append(Finding("samples", "\(evidence.samples)")) }
      if evidence.operations == nil { findings.append(Finding("operations", "none")) }
      if state > 0, let grown = evidence.grownBytes, grown < state - shareableBytes {
        findings.append(Finding("resident", "grown by \(grown)"))
      }
      return findings
    })
}

/// More than the interpreter and its libraries. What of them counts towards the model's proportional set depends on how
/// many others run the same interpreter at the moment: it shrinks when one starts beside it between two readings.
let shareableBytes = 16 << 20

extension TrialOrder {
  /// A quick trial of ``Workload/counting``; waits are long where nothing is meant to hang.
  static func counting(_ model: ModelProgram, state: Int = 0) -> TrialOrder {
    var parameters = Workload.counting.defaults
    parameters["state"] = .integer(state)
    return TrialOrder(
      model: model, workload: .counting, parameters: parameters, seed: 1, warmUp: .milliseconds(20),
      window: .milliseconds(150), iterationsPerMillisecond: 123_456, processors: ProcessorSets(available: []),
      deadlines: .generous)
  }
}

/// Counts, opens and closes its window of its own accord, except where its name says otherwise.
let fakeInProcessModel = """
  #!/usr/bin/env python3
  import json, os, resource, signal, sys, time
  behaviour = os.path.basename(sys.argv[0]).removeprefix("model-")
  def say(**reply):
      print(json.dumps(reply), flush=True)
  def forever():
      while True:
          time.sleep(1000)
  def edge(which, late=0):
      usage = resource.getrusage(resource.RUSAGE_SELF)
      say(reply="edge", edge=which, ledger={}, usage={
          "monotonicNanoseconds": time.clock_gettime_ns(time.CLOCK_MONOTONIC) + late,
          "userNanoseconds": int(usage.ru_utime * 1e9), "systemNanoseconds": int(usage.ru_stime * 1e9),
          "voluntarySwitches": usage.ru_nvcsw, "involuntarySwitches": usage.ru_nivcsw,
          "minorFaults": usage.ru_minflt, "majorFaults": usage.ru_majflt})
  for line in sys.stdin:
      command = json.loads(line)
      if command["command"] == "describe":
          say(reply="description", protocol=1, description={
              "model": "fake", "idiom": "pretends to count", "allocator": None, "workloads": [
                  {"workload": "counting", "variants": [],
                   "unsupported": "cannot count" if behaviour == "declines" else None}]})
      elif command["command"] == "trial":
          trial = command["trial"]
          if behaviour == "opens-too-soon":
              edge("open")
          else:
              say(reply="ready")
      elif command["command"] == "begin":
          if behaviour == "reaches-a-limit":
              say(reply="failure", failure={"state": "limit", "reason": "too many threads", "reached": 17})
              sys.exit(1)
          if behaviour == "hangs-at-begin" or behaviour == "hangs-at-gates" and trial["isGated"]:
              forever()
          held = bytearray(os.urandom(trial["parameters"]["state"]))
          time.sleep(trial["warmUpNanoseconds"] / 1e9)
          edge("close" if behaviour == "closes-first" else "open")
          if behaviour == "dies-in-the-window":
              os.kill(os.getpid(), signal.SIGKILL)
          if behaviour == "hangs-in-the-window":
              forever()
          # What it counts depends on the window alone, so that nobody need wait for a long one.
          isBrief = "-its-" in behaviour or behaviour in ("counts-one-operation", "loses-a-unit-at-first")
          time.sleep(min(trial["windowNanoseconds"], 10**8 if isBrief else 10**18) / 1e9)
          edge("close", -10**12 if behaviour == "turns-time-back" else 0)
      elif command["command"] == "drain":
          if behaviour == "hangs-at-drain":
              forever()
          units = trial["parameters"]["units"]
          result = {"ledger": {"unitsCounted": units - (behaviour == "loses-a-unit"), "workers": trial["workers"],
                               "gated": int(trial["isGated"]), "seed": trial["seed"],
                               "iterationsPerMillisecond": trial.get("iterationsPerMillisecond") or 0},
                    "counters": {"jokes": 1}, "operations": units, "latencies": {"all": [[1000, 19], [2000, 1]]},
                    "measures": [{"name": "spread", "unit": "ratio", "value": 1.5}]}
          if behaviour == "counts-no-operations": result["operations"] = 0
          if behaviour == "counts-one-operation": result["operations"] = 1
          if trial["windowNanoseconds"] < 10**9:
              if behaviour == "loses-its-processors": result["operations"] = 0
              if behaviour == "loses-its-samples": result["latencies"]["all"].pop()
              if behaviour == "loses-a-unit-at-first": result["ledger"]["unitsCounted"] -= 1
          if behaviour == "counts-backwards": result["operations"] = -3
          if behaviour == "leaves-operations-out": del result["operations"]
          if behaviour == "leaves-the-ledger-out": del result["ledger"]
          if behaviour == "garbles-latencies": result["latencies"]["all"].append([3])
          if behaviour == "repeats-a-measure": result["measures"] *= 2
          if behaviour == "measures-less-than-nothing": result["measures"][0]["value"] = -1
          say(reply="result", **result)
          if behaviour == "goes-on-talking":
              edge("close")
  """
