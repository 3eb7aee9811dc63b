// The import statements of a Swift file. A grep would be fooled by templates in string literals and by comments, and
// would miss an import behind an attribute or a semicolon; the compiler's own parser would be a dependency of 100 MB.
// `import` is a reserved word, so dropping comments and literals and then looking for the word is exact.

/// A Swift file's text, read as far as its imports need.
struct SourceFile {
  struct Import: Equatable {
    /// From 1.
    let line: Int
    /// The top-level module: `Foundation` for `import struct Foundation.Date`.
    let module: String
  }

  /// In order, those in inactive `#if` branches included.
  let imports: [Import]

  init(_ text: String) {
    var lexer = Lexer(text)
    var imports: [Import] = []
    var previous: Lexer.Token?
    while let token = lexer.next() {
      // After a dot, a parenthesis or a comma the word is a member or an argument's label.
      let isStatement = token.text == "import" && !["." as String?, "(", ","].contains(previous?.text)
      previous = token
      guard isStatement, var module = lexer.next() else { continue }
      if Self.kinds.contains(module.text), let next = lexer.next() { module = next }
      imports.append(Import(line: token.line, module: module.text))
      previous = module
    }
    self.imports = imports
  }

  /// The kinds of declaration that an import may single out.
  private static let kinds: Set<String> = [
    "typealias", "struct", "class", "enum", "protocol", "let", "var", "func", "actor", "macro",
  ]
}

/// Words and single signs, without white space, comments and literals.
private struct Lexer {
  struct Token {
    let line: Int
    let text: String
  }

  private let characters: [Character]
  private var place = 0
  private var line = 1

  init(_ text: String) { characters = Array(text) }

  private func at(_ offset: Int) -> Character? {
    place + offset < characters.count ? characters[place + offset] : nil
  }

  private func sees(_ text: String) -> Bool {
    characters[place...].starts(with: text)
  }

  private mutating func advance(_ count: Int = 1) {
    for _ in 0..<count where place < characters.count {
      if characters[place].isNewline { line += 1 }
      place += 1
    }
  }

  mutating func next() -> Token? {
    while let character = at(0) {
      if character.isWhitespace {
        advance()
      } else if sees("//") {
        while let next = at(0), !next.isNewline { advance() }
      } else if sees("/*") {
        skipBlockComment()
      } else if let hashes = literalHashes() {
        skipLiteral(hashes: hashes)
      } else if character == "`" {
        // An escaped name, which may be any text: never a keyword, but a module's name after `import`.
        let start = line
        advance()
        var name = ""
        while let next = at(0), next != "`", !next.isNewline {
          name.append(next)
          advance()
        }
        advance()
        return Token(line: start, text: name == "import" ? "`import`" : name)
      } else if character.isLetter || character == "_" {
        var word = ""
        while let next = at(0), next.isLetter || next.isNumber || next == "_" {
          word.append(next)
          advance()
        }
        return Token(line: line, text: word)
      } else {
        advance()
        return Token(line: line, text: String(character))
      }
    }
    return nil
  }

  /// Block comments nest in Swift.
  private mutating func skipBlockComment() {
    var depth = 0
    repeat {
      if sees("/*") {
        depth += 1
        advance(2)
      } else if sees("*/") {
        depth -= 1
        advance(2)
      } else {
        advance()
      }
    } while depth > 0 && place < characters.count
  }

  /// How many `#` precede the quote of a literal that starts here; nil if none starts here.
  private func literalHashes() -> Int? {
    var hashes = 0
    while at(hashes) == "#" { hashes += 1 }
    return at(hashes) == "\"" ? hashes : nil
  }

  /// Skips a string literal of any kind, interpolations included: `import` cannot stand within one. A quote within an
  /// interpolation ends the literal early and its end starts another, which skips the same text.
  private mutating func skipLiteral(hashes: Int) {
    advance(hashes)
    let isMultiline = sees("\"\"\"")
    let quote = isMultiline ? "\"\"\"" : "\""
    advance(quote.count)
    let end = quote + String(repeating: "#", count: hashes)
    let escape = "\\" + String(repeating: "#", count: hashes)
    while let character = at(0), !sees(end) {
      if !isMultiline && character.isNewline { return }
      advance(sees(escape) ? escape.count + 1 : 1)
    }
    advance(end.count)
  }
}
