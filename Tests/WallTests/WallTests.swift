// The walls between the rooms: every import line of the sources against the table.

import Foundation
import Testing
import Workloads

@Suite struct WallTests {
  @Test(arguments: Room.all.map(\.folder))
  func `a room imports only what the table allows it`(folder: String) throws {
    let room = try #require(Room.all.first { $0.folder == folder })
    let files = Repository.files(in: folder)
    #expect(!files.isEmpty, "\(folder) stands in the table and holds no file")
    for path in files where path.hasSuffix(".swift") {
      for trespass in room.trespasses(try Repository.text(path), at: path) { Issue.record("\(trespass)") }
    }
  }

  @Test func `every source folder has a line in the table, and no file lies outside a room`() throws {
    let folders = try Repository.folders(in: "Sources").filter { $0 != "Models" }.map { "Sources/" + $0 }
    let models = try Repository.folders(in: "Sources/Models").map { "Sources/Models/" + $0 }
    #expect(Set(folders + models + ["Workloads"]) == Set(Room.all.map(\.folder)))
    for path in Repository.files(in: "Sources") {
      #expect(Room.all.contains { path.hasPrefix($0.folder + "/") }, "\(path) lies in no room")
    }
  }

  @Test func `rooms for C hold no Swift`() {
    for room in Room.all where room.folder.hasPrefix("Sources/C") {
      #expect(Repository.files(in: room.folder).filter { $0.hasSuffix(".swift") } == [])
    }
  }

  /// A newcomer finds a workload under the same file name in every model; one that a model does not implement is
  /// refused by name, with a reason.
  @Test(arguments: Workload.all.map(\.name))
  func `every model has a file for every workload, or says why not`(workload: String) throws {
    let words = workload.split(separator: "-").map(\.capitalized)
    let file = words.joined() + ".swift"
    let constant = words[0].lowercased() + words.dropFirst().joined()
    for model in try Repository.folders(in: "Sources/Models") {
      let files = Repository.files(in: "Sources/Models/" + model)
      if files.contains("Sources/Models/\(model)/\(file)") { continue }
      let refuses = try files.contains { try Repository.text($0).contains(".unsupported(.\(constant),") }
      #expect(refuses, "Sources/Models/\(model) has no \(file) and no .unsupported(.\(constant), \"reason\")")
    }
    #expect(Repository.files(in: "Workloads").contains("Workloads/\(file)"))
  }
}
