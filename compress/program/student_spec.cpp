#include "compress/program/student_spec.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "formats/artifact/error.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr uint32_t kMaxParts = 1'000'000;  // layers, heads, neurons or columns
constexpr std::string_view kByImportance = ":importance";

struct StudentPart {
  std::string_view name;
  std::optional<uint32_t> StudentSpec::*value;
};
constexpr StudentPart kStudentParts[] = {{"layers", &StudentSpec::layers},
                                         {"heads", &StudentSpec::heads},
                                         {"neurons", &StudentSpec::neurons},
                                         {"embedding", &StudentSpec::embedding_rank}};

[[noreturn]] void fail_student(std::string_view part, std::string_view why) {
  fail(Errc::bad_recipe, message("student: \"", printable(part), "\": ", why,
                                 "; expected layers=N, layers=N:importance, heads=N, neurons=N, embedding=N or several "
                                 "of them with commas between"));
}

void parse_part(std::string_view part, StudentSpec& spec) {
  const size_t equals = part.find('=');
  const auto known = std::find_if(std::begin(kStudentParts), std::end(kStudentParts),
                                  [&](const StudentPart& one) { return one.name == part.substr(0, equals); });
  if (known == std::end(kStudentParts)) fail_student(part, "is not a part of a student");
  if (equals == std::string_view::npos) fail_student(part, "has no number");
  if (spec.*known->value) fail_student(part, message(known->name, " is given twice"));
  std::string_view number = part.substr(equals + 1);
  if (number.ends_with(kByImportance) && known->value == &StudentSpec::layers) {
    number.remove_suffix(kByImportance.size());
    spec.layers_by_importance = true;
  }
  uint32_t count = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
  if (error != std::errc() || end != number.data() + number.size() || count < 1 || count > kMaxParts) {
    fail_student(part, message("\"", printable(number), "\" is not an integer in [1, ", kMaxParts, "]"));
  }
  spec.*known->value = count;
}

}  // namespace

StudentSpec parse_student(const std::string& text) {
  StudentSpec spec;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parse_part(std::string_view(text).substr(begin, end - begin), spec);
    begin = end + 1;
  }
  return spec;
}

std::string student_text(const StudentSpec& spec) {
  std::string text;
  for (const StudentPart& part : kStudentParts) {
    if (!(spec.*part.value)) continue;
    text += message(text.empty() ? "" : ",", part.name, "=", *(spec.*part.value));
    if (part.value == &StudentSpec::layers && spec.layers_by_importance) text += kByImportance;
  }
  return text;
}

}  // namespace lathe
