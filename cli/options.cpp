#include "cli/options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>

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

Options::Options(std::string command, std::string operands, std::string about)
    : command_(std::move(command)), operands_text_(std::move(operands)), about_(std::move(about)) {
  groups_.push_back("Options");
}

Options& Options::group(std::string title) {
  groups_.push_back(std::move(title));
  return *this;
}

Options& Options::add(const std::string& name, const std::string& meta, const std::string& help,
                      std::function<void(const std::string&)> set) {
  const size_t comma = name.find(',');
  Option option;
  option.name = name.substr(0, comma);
  if (comma != std::string::npos) option.letter = name.substr(comma + 1);
  option.meta = meta;
  option.help = help;
  option.group = groups_.size() - 1;
  option.set = std::move(set);
  options_.push_back(std::move(option));
  return *this;
}

Options& Options::flag(const std::string& name, const std::string& help, bool& target) {
  return add(name, "", help, [&target](const std::string&) { target = true; });
}

Options& Options::text(const std::string& name, const std::string& meta, const std::string& help, std::string& target) {
  return add(name, meta, help, [&target](const std::string& value) { target = value; });
}

Options& Options::text(const std::string& name, const std::string& meta, const std::string& help,
                       std::optional<std::string>& target) {
  return add(name, meta, help, [&target](const std::string& value) { target = value; });
}

Options& Options::texts(const std::string& name, const std::string& meta, const std::string& help,
                        std::vector<std::string>& target) {
  add(name, meta, help, [&target](const std::string& value) { target.push_back(value); });
  options_.back().repeatable = true;
  return *this;
}

uint64_t Options::parse_integer(const std::string& name, std::string_view value, uint64_t minimum,
                                uint64_t maximum) const {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < minimum || number > maximum) {
    fail_usage(message("--", name, ": \"", printable(value), "\" is not an integer in [", minimum, ", ", maximum, "]"));
  }
  return number;
}

Options& Options::integer(const std::string& name, const std::string& meta, const std::string& help, uint64_t minimum,
                          uint64_t maximum, uint64_t& target) {
  return add(name, meta, help, [this, name, minimum, maximum, &target](const std::string& value) {
    target = parse_integer(name, value, minimum, maximum);
  });
}

Options& Options::integer(const std::string& name, const std::string& meta, const std::string& help, uint64_t minimum,
                          uint64_t maximum, std::optional<uint64_t>& target) {
  return add(name, meta, help, [this, name, minimum, maximum, &target](const std::string& value) {
    target = parse_integer(name, value, minimum, maximum);
  });
}

Options& Options::integers(const std::string& name, const std::string& meta, const std::string& help, uint64_t minimum,
                           uint64_t maximum, std::vector<uint32_t>& target) {
  return add(name, meta, help, [this, name, minimum, maximum, &target](const std::string& value) {
    target.clear();
    for (size_t begin = 0; begin <= value.size();) {
      const size_t end = std::min(value.find(',', begin), value.size());
      const std::string_view item = std::string_view(value).substr(begin, end - begin);
      target.push_back(static_cast<uint32_t>(parse_integer(name, item, minimum, maximum)));
      begin = end + 1;
    }
  });
}

Options& Options::number(const std::string& name, const std::string& meta, const std::string& help, double minimum,
                         double maximum, std::optional<double>& target) {
  return add(name, meta, help, [this, name, minimum, maximum, &target](const std::string& value) {
    double number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || !(number >= minimum && number <= maximum)) {
      fail_usage(message("--", name, ": \"", printable(value), "\" is not a number in [", to_text(Json(minimum)), ", ",
                         to_text(Json(maximum)), "]"));
    }
    target = number;
  });
}

Options& Options::choice(const std::string& name, const std::string& help, const std::vector<std::string>& choices,
                         std::string& target) {
  std::string meta;
  for (const std::string& each : choices) meta += (meta.empty() ? "" : "|") + each;
  return add(name, meta, help, [this, name, meta, choices, &target](const std::string& value) {
    if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
      fail_usage(message("--", name, ": \"", printable(value), "\" is not one of ", meta));
    }
    target = value;
  });
}

Options& Options::operands(size_t minimum, size_t maximum, std::vector<std::string>& target) {
  min_operands_ = minimum;
  max_operands_ = maximum;
  operands_ = &target;
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
  std::vector<std::string> given;
  std::set<std::string> seen;
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
        given.insert(given.end(), one.value.begin(), one.value.end());
        continue;
      }
      const auto option =
          std::find_if(options_.begin(), options_.end(), [&](const Option& o) { return o.name == one.string_key; });
      if (!seen.insert(option->name).second && !option->repeatable) {
        fail_usage(message("--", option->name, " is given twice"));
      }
      option->set(one.value.empty() ? std::string() : one.value[0]);
    }
  } catch (const po::unknown_option& error) {
    fail_unknown(error.get_option_name());
  } catch (const po::error& error) {
    fail_usage(error.what());
  }
  check_operands(given);
  if (operands_ != nullptr) *operands_ = given;
  return true;
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
