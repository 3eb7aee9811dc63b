// Which models there are and what each says of itself. Models are found by their file names and asked with `describe`:
// nothing here knows any of them.

import Foundation
import Glibc
import ResultFormat
import Workloads

/// A model that has described itself.
public struct CatalogueEntry: Sendable {
  public let program: ModelProgram
  /// What it says of itself, or why it could not be asked.
  public let description: Result<ModelDescription, HarnessError>

  /// The model without a variant.
  /// - Throws: ``HarnessError`` if it could not be asked.
  public func row() throws(HarnessError) -> ModelRow {
    ModelRow(program: program, variant: nil, description: try description.get())
  }
}

/// A row of a run: a model, or one of its labelled variants.
public struct ModelRow: Sendable {
  public let program: ModelProgram
  public let variant: String?
  public let description: ModelDescription

  /// As typed after `--model`: `threads`, `threads:gather`.
  public var label: String { variant.map { "\(program.name):\($0)" } ?? program.name }

  public var planned: PlannedModel {
    PlannedModel(
      name: program.name, variant: variant, idiom: description.idiom, allocator: description.allocator,
      isGuest: program.isGuest)
  }

  /// Why this row cannot do that workload; nil if it can.
  public func unsupportedReason(_ workload: Workload) -> String? {
    guard let support = description.workloads.first(where: { $0.workload == workload.name }) else {
      return "the model does not list \(workload.name)"
    }
    if let reason = support.unsupported { return reason }
    if let variant, !support.variants.contains(variant) { return "no variant '\(variant)' of \(workload.name)" }
    return nil
  }
}

public struct ModelCatalogue: Sendable {
  static let prefix = "model-"
  public let programs: [ModelProgram]

  /// The `model-*` beside the harness's executable, by name, then the guests.
  /// - Parameter guests: `NAME=PATH` as typed.
  /// - Throws: ``HarnessError`` for a guest that is not one, or a name that is taken.
  public init(_ executables: Executables, guests: [String]) throws(HarnessError) {
    var programs = (entries(of: executables.folder) ?? []).filter { name in
      name.hasPrefix(Self.prefix) && !name.contains(".") && access("\(executables.folder)/\(name)", X_OK) == 0
    }
    .sorted().map {
      ModelProgram(
        name: String($0.dropFirst(Self.prefix.count)), path: "\(executables.folder)/\($0)", isGuest: false)
    }
    for guest in guests {
      guard let separator = guest.firstIndex(of: "="), separator != guest.startIndex else {
        throw .usage("'\(guest)' is no guest: expected NAME=PATH, as in --guest mine=./my-model")
      }
      let name = String(guest[..<separator])
      let path = String(guest[guest.index(after: separator)...])
      guard name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }) else {
        throw .usage("'\(name)' is no name for a guest: expected letters, digits, '-', '_' and '.'")
      }
      if let taken = programs.first(where: { $0.name == name }) {
        throw .usage("the name '\(name)' is taken by \(taken.path): choose another for --guest \(guest)")
      }
      if isFolder(path) { throw .usage("'\(path)' is a folder: --guest takes an executable file") }
      guard access(path, X_OK) == 0 else {
        throw .usage("'\(path)' is no executable file: \(systemMessage(errno))")
      }
      let full = path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
      programs.append(ModelProgram(name: name, path: full, isGuest: true))
    }
    self.programs = programs
  }

  /// What each program says of itself.
  public func describe(_ executables: Executables, within limit: Duration = .seconds(60)) async throws(HarnessError)
    -> [CatalogueEntry]
  {
    var entries: [CatalogueEntry] = []
    for program in programs {
      entries.append(try await Self.describe(program, executables, within: limit))
    }
    return entries
  }

  static func describe(_ program: ModelProgram, _ executables: Executables, within limit: Duration)
    async throws(HarnessError) -> CatalogueEntry
  {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let errors = try BoundedFile(path: "\(folder)/stderr", limit: 4096)
    let inbox = Inbox()
    let answer: Result<ModelDescription, HarnessError> = try await ChildProcess.run(
      Command(program: program.path), as: .model, launcher: executables.launcher, inbox: inbox, standardError: errors,
      grace: .seconds(1)
    ) { model in
      func refuse(_ message: String) -> Result<ModelDescription, HarnessError> {
        .failure(.usage("model '\(program.name)' (\(program.path)) \(message)"))
      }
      await model.send(ModelCommand.describe)
      switch await inbox.next(from: .model, watching: [.model], until: .now + limit) {
      case .line(let line):
        guard let reply = try? JSONDecoder().decode(ModelReply.self, from: Data(line)),
          reply.reply == .description, let description = reply.description
        else { return refuse("answered 'describe' with '\(quoted(line))': expected a description") }
        guard reply.protocol == protocolVersion else {
          let version = reply.protocol.map(String.init) ?? "none"
          return refuse("speaks protocol \(version): expected \(protocolVersion)")
        }
        return .success(description)
      case .late: return refuse("did not answer 'describe' within \(limit.words)")
      case .malformed(_, let reason): return refuse("printed \(reason)")
      default:
        let status = await model.exitStatus(within: limit)
        return refuse("\(status?.description ?? "closed its standard output") before it had answered 'describe'")
      }
    }
    guard case .failure(let error) = answer, let text = contents(of: "\(folder)/stderr"), !text.isEmpty else {
      return CatalogueEntry(program: program, description: answer)
    }
    // The folder goes away, so its first line has to stand in the message.
    let first = text.split(separator: "\n").first.map(String.init) ?? ""
    return CatalogueEntry(program: program, description: .failure(.usage("\(error); it said: \(first)")))
  }

  /// The rows that the command line asks for.
  /// - Parameter names: `NAME` or `NAME:VARIANT`; empty for all models. Guests that are not named come after them.
  /// - Parameter withVariants: whether no names mean the variants too.
  /// - Throws: ``HarnessError`` for an unknown name or variant, a row asked for twice, or a model that does not answer.
  public static func rows(_ entries: [CatalogueEntry], named names: [String], withVariants: Bool = false)
    throws(HarnessError) -> [ModelRow]
  {
    let known = entries.map(\.program.name).joined(separator: ", ")
    guard !entries.isEmpty else {
      throw .usage("there are no models: build the package, or give one with --guest NAME=PATH")
    }
    var rows: [ModelRow] = []
    if names.isEmpty {
      for entry in entries {
        let description = try entry.description.get()
        rows.append(ModelRow(program: entry.program, variant: nil, description: description))
        guard withVariants else { continue }
        for variant in variants(of: description) {
          rows.append(ModelRow(program: entry.program, variant: variant, description: description))
        }
      }
    }
    for name in names {
      let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let entry = entries.first(where: { $0.program.name == parts[0] }) else {
        throw .usage("'\(parts[0])' is not a model: there is \(known)")
      }
      let description = try entry.description.get()
      let row = ModelRow(
        program: entry.program, variant: parts.count > 1 ? parts[1] : nil, description: description)
      if let variant = row.variant, !variants(of: description).contains(variant) {
        let offered = variants(of: description)
        throw .usage(
          "'\(variant)' is not a variant of '\(parts[0])': it has "
            + (offered.isEmpty ? "none" : offered.joined(separator: ", ")))
      }
      if rows.contains(where: { $0.label == row.label }) { throw .usage("'\(name)' was given twice") }
      rows.append(row)
    }
    // Whoever names a guest's path wants to see it, whatever models stand beside it.
    for entry in entries where entry.program.isGuest && !rows.contains(where: { $0.program == entry.program }) {
      rows.append(ModelRow(program: entry.program, variant: nil, description: try entry.description.get()))
    }
    return rows
  }

  /// All variants that a model offers, of any workload.
  public static func variants(of description: ModelDescription) -> [String] {
    var names: [String] = []
    for name in description.workloads.flatMap(\.variants) where !names.contains(name) { names.append(name) }
    return names
  }
}

private func isFolder(_ path: String) -> Bool {
  var isFolder: ObjCBool = false
  return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
}

/// A new folder of this process's own under the system's temporary folder.
func temporaryFolder() throws(HarnessError) -> String {
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("switchyard-\(UUID().uuidString)").path
  try makeFolder(path)
  return path
}
