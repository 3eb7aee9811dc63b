// Somebody else's answers: where python3 with SciPy is installed, thousands of random questions are asked of it.

import Glibc

/// SciPy, by one python3 process per conversation.
enum SciPy {
  /// Whether python3 finds SciPy; asked once.
  static let isInstalled: Bool = {
    let search = "import importlib.util, sys; sys.exit(importlib.util.find_spec('scipy') is None)"
    return system("timeout 20 python3 -c \"\(search)\" >/dev/null 2>&1") == 0
  }()

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Evaluates `body`, Python statements that set `answer` to a list of numbers from the lists of numbers `a`, `b`, ...,
  /// once for each question.
  /// - Parameter questions: each a few lists of numbers.
  /// - Returns: the answers, in the order of the questions.
  static func ask(_ body: String, _ questions: [[[Double]]]) throws -> [[Double]] {
    var template = Array("/tmp/switchyard-statistics-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(description: "mkdtemp: errno \(errno)") }
    let folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    defer { _ = system("rm -rf '\(folder)'") }

    let indented = body.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n")
    let script = """
      import sys, warnings, json
      import numpy as np
      from math import *
      from scipy import stats
      warnings.filterwarnings('ignore')
      for line in open(sys.argv[1]):
          a, b, c, *_ = json.loads(line) + [None, None]
      \(indented)
          print(*(repr(float(x)) for x in answer))
      """
    try write(script, to: folder + "/script.py")
    // The shortest decimal that reads back to the same double.
    try write(questions.map { "\($0)\n" }.joined(), to: folder + "/questions")
    let command =
      "timeout 120 python3 '\(folder)/script.py' '\(folder)/questions' >'\(folder)/answers' 2>'\(folder)/errors'"
    let status = system(command)
    guard status == 0 else {
      throw Failure(description: "python3: wait status \(status): \(try read(folder + "/errors"))")
    }
    let answers = try read(folder + "/answers").split(separator: "\n").map { line in
      line.split(separator: " ").map { Double($0) ?? .nan }
    }
    guard answers.count == questions.count else {
      throw Failure(description: "\(answers.count) answers to \(questions.count) questions")
    }
    return answers
  }

  private static func write(_ text: String, to path: String) throws {
    guard let file = fopen(path, "w") else { throw Failure(description: "\(path): errno \(errno)") }
    defer { fclose(file) }
    fputs(text, file)
  }

  private static func read(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw Failure(description: "\(path): errno \(errno)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer[..<count]
    }
  }
}
