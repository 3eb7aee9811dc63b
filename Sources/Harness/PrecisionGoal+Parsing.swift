// `--until 2%` and `--max-time 30m`, as they are typed.

import ResultFormat

extension PrecisionGoal {
  /// How long rounds are added where nobody says: an hour, or twice what the rounds that are run in any case take.
  static func standardSeconds(firstRounds: Double) -> Double { max(3600, 2 * firstRounds) }

  /// - Parameters:
  ///   - width: as after `--until`.
  ///   - time: as after `--max-time`.
  ///   - firstRounds: seconds that the rounds take which are run in any case.
  /// - Throws: ``HarnessError`` that quotes the value.
  public init(until width: String, within time: String?, firstRounds: Double) throws(HarnessError) {
    let reach = try Self.reach(width)
    guard let time else {
      self.init(reach: reach, maximumSeconds: Self.standardSeconds(firstRounds: firstRounds))
      return
    }
    let seconds = try Self.seconds(time)
    guard firstRounds <= seconds else {
      throw .usage(
        "'\(time)' is too short: the rounds that are run in any case take about \(Progress.words(firstRounds)); "
          + "give more time, or fewer --rounds")
    }
    self.init(reach: reach, maximumSeconds: seconds)
  }

  /// `2%` is 0.02.
  static func reach(_ text: String) throws(HarnessError) -> Double {
    guard text.hasSuffix("%"), let percent = Double(text.dropLast()), percent >= 0.01, percent <= 100 else {
      throw .usage("'\(text)' is no width: expected 0.01% to 100%, as in --until 2%")
    }
    return percent / 100
  }

  /// `90s`, `30m`, `1h30m`.
  static func seconds(_ text: String) throws(HarnessError) -> Double {
    let units: [(Character, Double)] = [("h", 3600), ("m", 60), ("s", 1)]
    var seconds = 0.0
    var rest = text[...]
    var isTime = !text.isEmpty
    for (unit, size) in units {
      guard let end = rest.firstIndex(of: unit) else { continue }
      guard let count = Double(rest[..<end]), count >= 0, count.isFinite else {
        isTime = false
        break
      }
      seconds += count * size
      rest = rest[rest.index(after: end)...]
    }
    guard isTime, rest.isEmpty, seconds >= 1, seconds <= 7 * 24 * 3600 else {
      throw .usage("'\(text)' is no time: expected 1s to 168h, as in --max-time 30m or 1h30m")
    }
    return seconds
  }
}
