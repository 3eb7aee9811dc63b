// Whether the models beside this executable are what they are published as: each says itself which allocator serves it,
// after having seen its counts move with an allocation, so that a preloaded library or a sanitizer is found out.

import Workloads

extension Diagnosis {
  /// Asks the models beside this process's executable.
  public static func allocators() async -> Diagnosis {
    do throws(HarnessError) {
      let executables = try Executables.besideOwn()
      return allocators(try await ModelCatalogue(executables, guests: []).describe(executables))
    } catch {
      return Diagnosis("allocator", "unknown", .change, error.description)
    }
  }

  static func allocators(_ entries: [CatalogueEntry]) -> Diagnosis {
    var found: [(model: String, allocator: String?)] = []
    for entry in entries {
      switch entry.description {
      case .success(let description): found.append((entry.program.name, description.allocator))
      case .failure(let error): return Diagnosis("allocator", "unknown", .change, error.description)
      }
    }
    guard let first = found.first else {
      return Diagnosis(
        "allocator", "unknown (no models)", .note, "build the whole package with 'swift build -c release'")
    }
    let value = found.map { "\($0.model): \($0.allocator ?? "the system's")" }.joined(separator: ", ")
    if found.contains(where: { $0.allocator == nil }) {
      return Diagnosis(
        "allocator", value, .change,
        "a model without jemalloc has other memory figures, and no heap: install libjemalloc-dev, unset LD_PRELOAD, and "
          + "build again")
    }
    if found.contains(where: { $0.allocator != first.allocator }) {
      return Diagnosis("allocator", value, .change, "the models must have one allocator: build them together")
    }
    return Diagnosis(
      "allocator", "\(first.allocator ?? "") in \(found.count == 1 ? "the model" : "all \(found.count) models")")
  }
}
