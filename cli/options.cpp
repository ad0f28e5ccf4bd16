#include "cli/options.h"

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <cctype>
#include <charconv>
#include <numeric>

#include "cli/text.h"
#include "formats/text.h"

namespace lathe::cli {
namespace {

namespace po = boost::program_options;

constexpr size_t kLineWidth = 100;
constexpr size_t kHelpColumn = 30;

// Breaks `text` into lines that end before column kLineWidth when they begin at `column`.
std::string wrap(const std::string& text, size_t column) {
  std::string out;
  size_t used = column;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (used > column && used + 1 + word.size() > kLineWidth) {
      out += "\n" + std::string(column, ' ');
      used = column;
    }
    if (used > column) {
      out += ' ';
      ++used;
    }
    out += word;
    used += word.size();
    begin = end + 1;
  }
  return out;
}

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

struct SizeUnit {
  const char* name;
  double bytes;
};
constexpr std::array<SizeUnit, 5> kSizeUnits = {{{"", 1}, {"B", 1}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}}};
constexpr double kMaxSize = 1e18;

// Nothing unless all of the text is a size.
std::optional<uint64_t> bytes_of(const std::string& text) {
  double number = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  std::string unit(end, last);
  std::transform(unit.begin(), unit.end(), unit.begin(), [](unsigned char c) { return std::toupper(c); });
  for (const SizeUnit& known : kSizeUnits) {
    const double bytes = number * known.bytes;
    if (unit == known.name && bytes >= 1 && bytes <= kMaxSize) return static_cast<uint64_t>(bytes);
  }
  return std::nullopt;
}

}  // namespace

std::string nearest(const std::string& given, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, given.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(given, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string with_default(std::string help, const std::string& value) {
  const size_t place = help.find("{}");
  return place == std::string::npos ? help : help.replace(place, 2, value);
}

Options::Options(std::string command, std::string operands, std::string about)
    : command_(std::move(command)), operands_text_(std::move(operands)), about_(std::move(about)) {
  groups_.push_back("Options");
}

size_t Options::group_index(const std::string& title) {
  const auto found = std::find(groups_.begin(), groups_.end(), title);
  if (found != groups_.end()) return static_cast<size_t>(found - groups_.begin());
  groups_.push_back(title);
  return groups_.size() - 1;
}

Options& Options::group(const std::string& title) {
  group_ = group_index(title);
  return *this;
}

Options& Options::add(const std::string& name, const std::string& meta, const std::string& help,
                      std::function<Fault(const std::string&)> read) {
  const size_t comma = name.find(',');
  Option option;
  option.name = name.substr(0, comma);
  if (comma != std::string::npos) option.letter = name.substr(comma + 1);
  option.meta = meta;
  option.help = help;
  option.group = group_;
  option.read = std::move(read);
  options_.push_back(std::move(option));
  return *this;
}

Options& Options::flag(const std::string& name, const std::string& help, bool& target) {
  return add(name, "", help, [&target](const std::string&) {
    target = true;
    return Fault();
  });
}

Options& Options::text(const std::string& name, const std::string& meta, const std::string& help, std::string& target) {
  return add(name, meta, help, [&target](const std::string& value) {
    target = value;
    return Fault();
  });
}

Options& Options::text(const std::string& name, const std::string& meta, const std::string& help,
                       std::optional<std::string>& target) {
  return add(name, meta, help, [&target](const std::string& value) {
    target = value;
    return Fault();
  });
}

Options& Options::texts(const std::string& name, const std::string& meta, const std::string& help,
                        std::vector<std::string>& target) {
  add(name, meta, help, [&target](const std::string& value) {
    target.push_back(value);
    return Fault();
  });
  options_.back().repeatable = true;
  return *this;
}

Options& Options::integer(const std::string& name, const std::string& meta, const std::string& help, uint64_t minimum,
                          uint64_t maximum, uint64_t& target) {
  return add(name, meta, help,
             [=, &target](const std::string& value) { return read_integer(value, minimum, maximum, target); });
}

Options& Options::integer(const std::string& name, const std::string& meta, const std::string& help, uint64_t minimum,
                          uint64_t maximum, std::optional<uint64_t>& target) {
  return add(name, meta, help, [=, &target](const std::string& value) {
    uint64_t number = 0;
    Fault fault = read_integer(value, minimum, maximum, number);
    if (fault.empty()) target = number;
    return fault;
  });
}

Options& Options::integers(const std::string& name, const std::string& meta, const std::string& help, uint64_t minimum,
                           uint64_t maximum, std::vector<uint32_t>& target) {
  return add(name, meta, help, [=, &target](const std::string& value) {
    target.clear();
    Fault fault;
    for (size_t begin = 0; begin <= value.size() && fault.empty();) {
      const size_t end = std::min(value.find(',', begin), value.size());
      uint64_t number = 0;
      fault = read_integer(std::string_view(value).substr(begin, end - begin), minimum, maximum, number);
      target.push_back(static_cast<uint32_t>(number));
      begin = end + 1;
    }
    return fault;
  });
}

Options& Options::number(const std::string& name, const std::string& meta, const std::string& help, double minimum,
                         double maximum, std::optional<double>& target) {
  return add(name, meta, help, [=, &target](const std::string& value) {
    double number = 0;
    Fault fault = read_number(value, minimum, maximum, number);
    if (fault.empty()) target = number;
    return fault;
  });
}

Options& Options::bytes(const std::string& name, const std::string& help, std::optional<uint64_t>& target) {
  return add(name, "SIZE", help, [&target](const std::string& value) {
    target = bytes_of(value);
    return target ? Fault()
                  : message("\"", printable(value), "\" is not a positive size such as 12MB, 800kB or 1234567");
  });
}

Options& Options::device(DeviceChoice& target, const std::string& name) {
  return choice(name, "what runs the models (default cpu); auto takes a CUDA device where there is one", kDeviceChoices,
                target);
}

Options& Options::device(DeviceRequest& target) {
  device(target.device, "device");
  return add("gpu-layers", "N|auto", "the device runs the first N layers, the CPU the rest; auto: as many as fit",
             [&target](const std::string& text) -> Fault {
               uint64_t layers = kAutomaticLayers;
               if (text != "auto") {
                 if (const Fault fault = read_integer(text, 0, UINT32_MAX, layers); !fault.empty()) return fault;
               }
               target.layers = layers;
               return {};
             });
}

Options& Options::operands(size_t minimum, size_t maximum, std::vector<std::string>& target) {
  min_operands_ = minimum;
  max_operands_ = maximum;
  operands_ = &target;
  return *this;
}

Options& Options::given(std::set<std::string>& target) {
  given_target_ = &target;
  return *this;
}

void Options::fail_usage(const std::string& text) const {
  fail(Errc::usage, message(text, "; '", command_, " --help' explains"));
}

void Options::fail_unknown(const std::string& given) const {
  const size_t begin = std::min(given.find_first_not_of('-'), given.size());
  const std::string bare = given.substr(begin, given.find('=') - begin);
  std::vector<std::string> names = {"help"};
  for (const Option& option : options_) names.push_back(option.name);
  const std::string guess = nearest(bare, names);
  fail_usage(message("unknown option '", printable(given), "'",
                     guess.empty() ? std::string() : message(", did you mean '--", guess, "'?")));
}

void Options::check_operands(const std::vector<std::string>& given) const {
  if (given.size() < min_operands_) fail_usage(message("expected ", operands_text_));
  if (given.size() > max_operands_) {
    fail_usage(message("unexpected argument '", printable(given[max_operands_]), "'"));
  }
}

bool Options::parse(const std::vector<std::string>& args) {
  po::options_description known;
  known.add_options()("help,h", "");
  for (const Option& option : options_) {
    const std::string name = option.letter.empty() ? option.name : option.name + "," + option.letter;
    if (option.meta.empty()) {
      known.add_options()(name.c_str(), "");
    } else {
      known.add_options()(name.c_str(), po::value<std::string>(), "");
    }
  }
  std::vector<std::string> operands;
  try {
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    const po::parsed_options parsed = po::command_line_parser(args).options(known).style(style).run();
    const auto is_help = [](const auto& one) { return one.position_key < 0 && one.string_key == "help"; };
    if (std::any_of(parsed.options.begin(), parsed.options.end(), is_help)) {
      write_stdout(help());
      return false;
    }
    for (const po::option& one : parsed.options) {
      if (one.position_key >= 0) {
        operands.insert(operands.end(), one.value.begin(), one.value.end());
        continue;
      }
      const auto option =
          std::find_if(options_.begin(), options_.end(), [&](const Option& o) { return o.name == one.string_key; });
      if (!given_.insert(option->name).second && !option->repeatable) {
        fail_usage(message("--", option->name, " is given twice"));
      }
      const Fault fault = option->read(one.value.empty() ? std::string() : one.value[0]);
      if (!fault.empty()) fail_usage(message("--", option->name, ": ", fault));
    }
  } catch (const po::unknown_option& error) {
    fail_unknown(error.get_option_name());
  } catch (const po::error& error) {
    fail_usage(error.what());
  }
  check_operands(operands);
  if (operands_ != nullptr) *operands_ = operands;
  if (given_target_ != nullptr) *given_target_ = given_;
  return true;
}

std::string Options::first_given(const std::string& heading) const {
  for (const Option& option : options_) {
    if (groups_[option.group] == heading && given_.contains(option.name)) return option.name;
  }
  return {};
}

std::string Options::help() const {
  std::string out = wrap("Usage: " + command_ + (operands_text_.empty() ? "" : " " + operands_text_) + " [options]", 0);
  out += "\n\n" + wrap(about_, 0) + "\n";
  for (size_t group = 0; group < groups_.size(); ++group) {
    std::string lines;
    const auto add_line = [&](const std::string& letter, const std::string& names, const std::string& help) {
      const std::string head = (letter.empty() ? "      " : "  -" + letter + ", ") + names;
      lines += head.size() + 2 > kHelpColumn ? head + "\n" + std::string(kHelpColumn, ' ') : pad(head, kHelpColumn);
      lines += wrap(help, kHelpColumn) + "\n";
    };
    for (const Option& option : options_) {
      if (option.group != group) continue;
      add_line(option.letter, "--" + option.name + (option.meta.empty() ? "" : " " + option.meta), option.help);
    }
    if (group + 1 == groups_.size()) add_line("h", "--help", "show this help");
    if (!lines.empty()) out += "\n" + groups_[group] + ":\n" + lines;
  }
  return out;
}

}  // namespace lathe::cli
