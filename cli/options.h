#pragma once
// The options of one command: declared once, they parse, check and explain themselves.

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compress/job/setting.h"
#include "runtime/device_request.h"

namespace lathe::cli {

/// The options of one command, written `--name VALUE` or `--name=VALUE`. A name may have a short form, as in
/// "output,o". parse() throws Error{usage} naming option, value and bound for everything that is wrong; for an unknown
/// option the message names the option with the nearest spelling. Targets outlive this.
class Options {
 public:
  /// `command`, such as "compress bench", is named in messages; `operands`, such as "FILE...", stand in the usage line.
  Options(std::string command, std::string operands, std::string about);

  /// The options that follow stand under this heading in the help. A heading may be continued later.
  Options& group(const std::string& title);
  Options& flag(const std::string& name, const std::string& help, bool& target);
  Options& text(const std::string& name, const std::string& meta, const std::string& help, std::string& target);
  Options& text(const std::string& name, const std::string& meta, const std::string& help,
                std::optional<std::string>& target);
  /// An option that may be given several times.
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
  /// A size of at least one byte: a decimal number, and a unit of powers of 1000, as in "12MB", "1.5GB" or "800000".
  Options& bytes(const std::string& name, const std::string& help, std::optional<uint64_t>& target);
  /// One of the names of an enumeration; the target is the enumeration or an optional of it.
  template <class E, size_t count, class Target>
  Options& choice(const std::string& name, const std::string& help, const NamedValues<E, count>& names, Target& target);
  /// A setting of a recipe, under its own heading; the headings of options that follow are not changed. `setting` and
  /// `owner` outlive this. The default in the help is the value that `owner` has now.
  template <class Owner>
  Options& setting(const Setting<Owner>& setting, Owner& owner);
  /// A setting under the heading of the options around it, with the name that this command has for it.
  template <class Owner>
  Options& setting(const Setting<Owner>& setting, Owner& owner, const std::string& name);
  /// What runs the models.
  Options& device(DeviceChoice& target, const std::string& name);
  /// --device, and --gpu-layers: how many layers the device takes.
  Options& device(DeviceRequest& target);
  /// Arguments that are no options: at least `minimum` and at most `maximum` of them.
  Options& operands(size_t minimum, size_t maximum, std::vector<std::string>& target);

  /// parse() puts the names of the options that it finds here, without dashes.
  Options& given(std::set<std::string>& target);

  /// Fills in the targets. Returns false when the arguments ask for --help, which is then written to standard output.
  bool parse(const std::vector<std::string>& args);
  std::string help() const;
  /// The first option under that heading that parse() found; empty when there was none.
  std::string first_given(const std::string& heading) const;

 private:
  struct Option {
    std::string name;    // without dashes
    std::string letter;  // of the short form, or empty
    std::string meta;    // empty for a flag
    std::string help;
    size_t group = 0;
    bool repeatable = false;
    std::function<Fault(const std::string& value)> read;
  };
  Options& add(const std::string& name, const std::string& meta, const std::string& help,
               std::function<Fault(const std::string& value)> read);
  size_t group_index(const std::string& title);
  [[noreturn]] void fail_usage(const std::string& text) const;
  [[noreturn]] void fail_unknown(const std::string& given) const;
  void check_operands(const std::vector<std::string>& given) const;

  std::string command_;
  std::string operands_text_;
  std::string about_;
  std::vector<std::string> groups_;
  size_t group_ = 0;  // of the options that follow
  std::vector<Option> options_;
  std::set<std::string> given_;
  std::set<std::string>* given_target_ = nullptr;
  size_t min_operands_ = 0;
  size_t max_operands_ = 0;
  std::vector<std::string>* operands_ = nullptr;
};

/// Puts the value of a setting in the place of "{}" in its help.
std::string with_default(std::string help, const std::string& value);

/// The candidate that a few typing errors turn into `given`; empty when there is none.
std::string nearest(const std::string& given, const std::vector<std::string>& candidates);

template <class E, size_t count, class Target>
Options& Options::choice(const std::string& name, const std::string& help, const NamedValues<E, count>& names,
                         Target& target) {
  return add(name, names.list("|"), help, [names = names.rows(), &target](const std::string& text) {
    const std::optional<E> value = find_value(names, text);
    if (value) target = *value;
    return value ? Fault() : not_one_of(text, join_names(names, "|"));
  });
}

template <class Owner>
Options& Options::setting(const Setting<Owner>& setting, Owner& owner) {
  const size_t following = group_;
  group_ = group_index(kSettingGroups.name(setting.group));
  this->setting(setting, owner, setting.name);
  group_ = following;
  return *this;
}

template <class Owner>
Options& Options::setting(const Setting<Owner>& setting, Owner& owner, const std::string& name) {
  add(name, setting.meta, with_default(setting.help, setting.show ? setting.show(owner) : std::string()),
      [&setting, &owner](const std::string& text) { return setting.read(owner, text); });
  options_.back().repeatable = setting.repeatable;
  return *this;
}

}  // namespace lathe::cli
