// switchyard list: what there is.

import ArgumentParser
import Foundation
import Harness
import Workloads

struct List: AsyncParsableCommand {
  enum Subject: String, ExpressibleByArgument, CaseIterable {
    case workloads, models, presets
  }

  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists the workloads, models or presets.")

  @Argument(help: "What to list.")
  var subject: Subject = .workloads

  @Flag(help: "Print JSON.")
  var json = false

  @Option(
    name: .customLong("guest"),
    help: ArgumentHelp("A guest to list with the models; may be repeated.", valueName: "name=path"))
  var guests: [String] = []

  func run() async throws {
    switch subject {
    case .workloads: try listWorkloads()
    case .presets: try listPresets()
    case .models: try await listModels()
    }
  }

  private func listWorkloads() throws {
    struct Item: Encodable {
      var name: String
      var question: String
      var operation: String
      var isServed: Bool
      var cases: [String]
      var variants: [String]
    }
    let items = Workload.all.map {
      Item(
        name: $0.name, question: $0.question, operation: $0.operation, isServed: $0.isServed,
        cases: $0.cases.map(\.name), variants: $0.variants.map(\.name))
    }
    if json { return try printJSON(items) }
    for item in items {
      print("\(item.name)\n  \(item.question)")
      print("  cases: \(item.cases.joined(separator: ", "))")
    }
  }

  private func listPresets() throws {
    struct Item: Encodable {
      var name: String
      var rounds: Int
      var warmUpSeconds: Double
      var windowSeconds: Double
      var claims: Bool
      var cases: [String]
    }
    let items = Preset.allCases.map { preset in
      Item(
        name: preset.rawValue, rounds: preset.rounds, warmUpSeconds: preset.warmUpSeconds,
        windowSeconds: preset.windowSeconds, claims: preset.claims,
        cases: Workload.all.flatMap(\.cases).filter { $0.presets.contains(preset) }.map(\.name))
    }
    if json { return try printJSON(items) }
    for item in items {
      print(
        "\(item.name): \(item.rounds) rounds of \(item.cases.count) cases, \(item.warmUpSeconds) s warm-up and "
          + "\(item.windowSeconds) s window each; \(item.claims ? "claims" : "indicative, no claims")")
      print("  cases: \(item.cases.joined(separator: ", "))")
    }
  }

  private func listModels() async throws {
    struct Item: Encodable {
      var name: String
      var path: String
      var isGuest: Bool
      var description: ModelDescription?
      var error: String?
    }
    let executables = try Executables.besideOwn()
    let items = try await ModelCatalogue(executables, guests: guests).describe(executables).map { entry in
      var item = Item(name: entry.program.name, path: entry.program.path, isGuest: entry.program.isGuest)
      switch entry.description {
      case .success(let description): item.description = description
      case .failure(let error): item.error = error.description
      }
      return item
    }
    if json { return try printJSON(items) }
    if items.isEmpty { complain("there are no models beside \(executables.folder): build the package") }
    for item in items {
      print("\(item.name)\(item.isGuest ? " (guest)" : "")")
      if let error = item.error { print("  error: \(error)") }
      guard let description = item.description else { continue }
      print("  \(description.idiom)")
      for support in description.workloads {
        let variants = support.variants.isEmpty ? "" : " (variants: \(support.variants.joined(separator: ", ")))"
        print("  \(support.workload)\(support.unsupported.map { ": unsupported: \($0)" } ?? variants)")
      }
    }
  }
}

func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}
