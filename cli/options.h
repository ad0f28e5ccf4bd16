#pragma once
// The options of one command: declared once, they parse, check and explain themselves.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::cli {

/// Options are written `--name VALUE` or `--name=VALUE`; `name` may carry a short form, as in "output,o". Everything
/// that is wrong throws Error{usage} naming option, value and bound; an unknown option is answered with the nearest.
class Options {
 public:
  /// `command` is "compress bench" and stands in messages; `operands` is "FILE..." and stands in the usage line.
  Options(std::string command, std::string operands, std::string about);

  /// A heading in the help for the options that follow.
  Options& group(std::string title);
  Options& flag(const std::string& name, const std::string& help, bool& target);
  Options& text(const std::string& name, const std::string& meta, const std::string& help, std::string& target);
  Options& text(const std::string& name, const std::string& meta, const std::string& help,
                std::optional<std::string>& target);
  /// May be given several times.
  Options& texts(const std::string& name, const std::string& meta, const std::string& help,
                 std::vector<std::string>& target);
  /// An integer in [minimum, maximum].
  Options& integer(const std::string& name, const std::string& meta, const std::string& help, uint64_t minimum,
                   uint64_t maximum, uint64_t& target);
  Options& integer(const std::string& name, const std::string& meta, const std::string& help, uint64_t minimum,
                   uint64_t maximum, std::optional<uint64_t>& target);
  /// Integers in [minimum, maximum] with commas between them.
  Options& integers(const std::string& name, const std::string& meta, const std::string& help, uint64_t minimum,
                    uint64_t maximum, std::vector<uint32_t>& target);
  /// A number in [minimum, maximum].
  Options& number(const std::string& name, const std::string& meta, const std::string& help, double minimum,
                  double maximum, std::optional<double>& target);
  /// One of `choices`.
  Options& choice(const std::string& name, const std::string& help, const std::vector<std::string>& choices,
                  std::string& target);
  /// What stands without an option; at least `minimum` and at most `maximum` of them.
  Options& operands(size_t minimum, size_t maximum, std::vector<std::string>& target);

  /// Fills in the targets. False: --help was asked for and has been written to standard output.
  bool parse(const std::vector<std::string>& args);
  std::string help() const;

 private:
  struct Option {
    std::string name;    // without dashes
    std::string letter;  // of the short form, or empty
    std::string meta;    // empty for a flag
    std::string help;
    size_t group = 0;
    bool repeatable = false;
    std::function<void(const std::string& value)> set;
  };
  Options& add(const std::string& name, const std::string& meta, const std::string& help,
               std::function<void(const std::string& value)> set);
  [[noreturn]] void fail_usage(const std::string& text) const;
  [[noreturn]] void fail_unknown(const std::string& given) const;
  uint64_t parse_integer(const std::string& name, std::string_view value, uint64_t minimum, uint64_t maximum) const;
  void check_operands(const std::vector<std::string>& given) const;

  std::string command_;
  std::string operands_text_;
  std::string about_;
  std::vector<std::string> groups_;
  std::vector<Option> options_;
  size_t min_operands_ = 0;
  size_t max_operands_ = 0;
  std::vector<std::string>* operands_ = nullptr;
};

/// The candidate that is a few slips of the finger away from `given`; empty when none is.
std::string nearest(const std::string& given, const std::vector<std::string>& candidates);

}  // namespace lathe::cli
