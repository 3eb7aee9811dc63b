// Whether the rounds to come are comparable with those that there are: the same host, the same processors, the same
// executables byte for byte. Whoever changed one of them wants another run.

import ResultFormat
import Workloads

extension InterruptedRun {
  /// `NAME=PATH` of the plan's guests, as after `--guest`.
  public var guests: [String] { stored.programs.filter(\.isGuest).map { "\($0.name)=\($0.path)" } }
  /// The plan's rows, as after `--model`.
  public var rows: [String] { stored.plan.models.map { Progress.label($0.name, $0.variant) } }

  /// - Parameters:
  ///   - environment: this host and this build, now.
  ///   - processors: those that this process may use.
  /// - Throws: ``HarnessError`` if the rounds to come would not be comparable with those that there are.
  public func check(_ environment: RunEnvironment, _ processors: ProcessorSets, _ executables: Executables)
    throws(HarnessError)
  {
    func refuse(_ what: String, _ then: String, _ now: String) -> HarnessError {
      .usage(
        "'\(folder)' was begun with \(what) '\(then)', and here it is '\(now)': go on where it was begun, "
          + "or make the run again in another folder")
    }
    guard stored.protocolVersion == protocolVersion else {
      throw refuse("protocol", "\(stored.protocolVersion)", "\(protocolVersion)")
    }
    for fact in stored.environment.differences(to: environment) { throw refuse(fact.name, fact.then, fact.now) }
    for planned in stored.plan.cases {
      let isServed = (try? Workload.named(planned.workload))?.isServed ?? true
      let rig = isServed ? processors.rig : []
      let model = processors.model(isServed: isServed)
      guard planned.rigProcessors == rig, planned.modelProcessors == model else {
        func words(_ rig: [Int], _ model: [Int]) -> String { "\(rig) for the rig, \(model) for the model" }
        throw refuse(
          "processors of \(planned.name)", words(planned.rigProcessors, planned.modelProcessors), words(rig, model))
      }
    }
    for program in stored.programs { try check(program, executables, environment) }
  }

  private func check(_ program: StoredProgram, _ executables: Executables, _ environment: RunEnvironment)
    throws(HarnessError)
  {
    // The package's own are looked for where they are now: a build may be moved.
    let path = program.isGuest ? program.path : "\(executables.folder)/\(program.name)"
    let now: StoredProgram
    do throws(ResultError) {
      now = try StoredProgram(name: program.name, path: path, isGuest: program.isGuest)
    } catch {
      throw .usage("'\(folder)' was begun with \(path), which cannot be read now (\(error)): put it back")
    }
    guard !now.isSameBuild(as: program) else { return }
    func words(_ program: StoredProgram, _ revision: String?) -> String {
      "\(program.bytes) bytes, checksum \(String(program.crc32, radix: 16))"
        + (program.isGuest ? "" : ", revision \(revision ?? "unknown")")
    }
    throw .usage(
      "'\(folder)' was begun with another \(path) (\(words(program, stored.environment.revision))) than there is now "
        + "(\(words(now, environment.revision))): put the first one back, or make the run again in another folder")
  }
}

extension StoredProgram {
  /// Every executable that has a part in the figures: the harness, the launcher, the rig, and the rows' models.
  static func all(_ executables: Executables, _ rows: [ModelRow]) throws(HarnessError) -> [StoredProgram] {
    var programs: [StoredProgram] = []
    var paths = [executables.own, executables.launcher, executables.rig].compactMap { $0 }.map { ($0, String?.none) }
    for row in rows { paths.append((row.program.path, row.program.isGuest ? row.program.name : nil)) }
    for (path, guest) in paths {
      let name = guest ?? String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...])
      guard !programs.contains(where: { $0.name == name }) else { continue }
      do throws(ResultError) {
        programs.append(try StoredProgram(name: name, path: path, isGuest: guest != nil))
      } catch {
        throw HarnessError(error)
      }
    }
    return programs
  }
}
