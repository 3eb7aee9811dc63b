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
    case .workloads: try await listWorkloads()
    case .presets: try listPresets()
    case .models: try await listModels()
    }
  }

  private func listWorkloads() async throws {
    struct Support: Encodable {
      var model: String
      var isSupported: Bool
      var variants: [String]
      /// Why it is not.
      var reason: String?
    }
    struct Item: Encodable {
      var name: String
      var question: String
      var operation: String
      var isServed: Bool
      var cases: [String]
      /// The cases of each preset.
      var presets: [String: [String]]
      var variants: [String]
      var models: [Support]
    }
    let models = try await describeModels()
    let items = Workload.all.map { workload in
      Item(
        name: workload.name, question: workload.question, operation: workload.operation, isServed: workload.isServed,
        cases: workload.cases.map(\.name),
        presets: Dictionary(
          uniqueKeysWithValues: Preset.allCases.map { preset in
            (preset.rawValue, workload.cases.filter { $0.presets.contains(preset) }.map(\.name))
          }),
        variants: workload.variants.map(\.name),
        models: models.map { entry in
          do {
            let row = try entry.row()
            let reason = row.unsupportedReason(workload)
            let support = row.description.workloads.first { $0.workload == workload.name }
            return Support(
              model: entry.program.name, isSupported: reason == nil, variants: support?.variants ?? [], reason: reason)
          } catch {
            return Support(model: entry.program.name, isSupported: false, variants: [], reason: "\(error)")
          }
        })
    }
    if json { return try printJSON(items) }
    for item in items {
      print("\(item.name)\n  \(item.question)")
      for preset in Preset.allCases {
        let cases = item.presets[preset.rawValue] ?? []
        print("  \(preset.rawValue): \(cases.isEmpty ? "no case" : cases.joined(separator: ", "))")
      }
      for support in item.models {
        let variants = support.variants.isEmpty ? "" : " (variants: \(support.variants.joined(separator: ", ")))"
        print("  \(support.model): \(support.reason.map { "unsupported: \($0)" } ?? "supported\(variants)")")
      }
    }
  }

  /// What the models beside this executable, and the guests, say of themselves.
  private func describeModels() async throws -> [CatalogueEntry] {
    let executables = try Executables.besideOwn()
    return try await ModelCatalogue(executables, guests: guests).describe(executables)
  }

  private func listPresets() throws {
    struct Item: Encodable {
      var name: String
      var rounds: Int
      var warmUpSeconds: Double
      var latencyWindowSeconds: Double
      var otherWindowSeconds: Double
      var claims: Bool
      var cases: [String]
    }
    let items = Preset.allCases.map { preset in
      Item(
        name: preset.rawValue, rounds: preset.rounds, warmUpSeconds: preset.warmUpSeconds,
        latencyWindowSeconds: preset.windowSeconds(measuresLatency: true),
        otherWindowSeconds: preset.windowSeconds(measuresLatency: false), claims: preset.claims,
        cases: Workload.all.flatMap(\.cases).filter { $0.presets.contains(preset) }.map(\.name))
    }
    if json { return try printJSON(items) }
    for item in items {
      print(
        "\(item.name): \(item.rounds) rounds of \(item.cases.count) cases, \(item.warmUpSeconds) s warm-up each, a "
          + "window of \(item.latencyWindowSeconds) s where latency is measured and \(item.otherWindowSeconds) s where "
          + "it is not; \(item.claims ? "claims" : "indicative, no claims")")
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
    let items = try await describeModels().map { entry in
      var item = Item(name: entry.program.name, path: entry.program.path, isGuest: entry.program.isGuest)
      switch entry.description {
      case .success(let description): item.description = description
      case .failure(let error): item.error = error.description
      }
      return item
    }
    if json { return try printJSON(items) }
    if items.isEmpty { complain("there are no models beside this executable: build the package") }
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
