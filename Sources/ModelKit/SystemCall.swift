// Errors of system calls, in words.

import Glibc
import Workloads

/// The system's sentence for an error number, with its number.
public func describe(errno number: Int) -> String { "\(String(cString: strerror(Int32(number)))) (errno \(number))" }

/// Passes a call's result on, or turns a negative errno into a failure: of state `limit` where a limit of the system
/// was met (descriptors, memory, threads), else `failed`.
/// - Parameters:
///   - result: what a `clinux_` call returned.
///   - what: the attempt, as in "connecting to the backend".
@discardableResult
public func require<Number: SignedInteger>(_ result: Number, _ what: @autoclosure () -> String) throws(ModelFailure)
  -> Number
{
  if result >= 0 { return result }
  let number = -Int(result)
  let limits = [Int(EMFILE), Int(ENFILE), Int(ENOMEM), Int(ENOBUFS), Int(EADDRNOTAVAIL)]
  throw ModelFailure(limits.contains(number) ? .limit : .failed, "\(what()) failed: \(describe(errno: number))")
}
