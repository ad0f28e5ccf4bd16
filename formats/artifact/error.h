#pragma once
// The one exception of the project. Libraries throw it and never print, abort or exit; cli/ turns its code into an
// exit code (docs/cli.md).

#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lathe {

enum class Errc {
  internal,       // a bug of ours
  usage,          // the caller asked for something that makes no sense
  malformed,      // an input breaks the rules of its format
  limit,          // an input is within its format but beyond a bound of ours
  no_input,       // an input does not exist or cannot be read
  unsupported,    // well-formed, and not something we handle
  cannot_create,  // an output cannot be created
  io,             // reading or writing failed half-way
  bad_recipe,     // the recipe contradicts itself or the model
  interrupted,    // stopped by a signal
};

class Error : public std::runtime_error {
 public:
  Error(Errc code, const std::string& message) : std::runtime_error(message), code_(code) {}
  Errc code() const noexcept { return code_; }

 private:
  Errc code_;
};

/// A stable lower-case name such as "malformed", used in JSON errors.
const char* errc_name(Errc code) noexcept;

[[noreturn]] void fail(Errc code, const std::string& message);

/// Throws Error{code, message} unless `condition` holds. The message is only built by callers on the cold path where
/// building it is cheap; in loops test first and call fail().
inline void require(bool condition, Errc code, const char* message) {
  if (!condition) fail(code, message);
}

/// Joins its arguments (strings, numbers) into one std::string: message(path, ": tensor ", name, " has ", n).
namespace detail {
inline std::string to_text(std::string_view s) { return std::string(s); }
inline std::string to_text(const char* s) { return s; }
inline std::string to_text(char* s) { return s; }
inline std::string to_text(const std::string& s) { return s; }
inline std::string to_text(char c) { return std::string(1, c); }
/// Integers in full, floating point in the shortest form that reads back the same; no locale has a say.
template <class Number>
std::string to_text(Number n) {
  char digits[64];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}
}  // namespace detail
template <class... Parts>
std::string message(const Parts&... parts) {
  std::string out;
  (out.append(detail::to_text(parts)), ...);
  return out;
}

}  // namespace lathe
