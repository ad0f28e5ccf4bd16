#pragma once
// What a student is asked to be.

#include <cstdint>
#include <optional>
#include <string>

namespace lathe {

/// Which smaller program a student is. Its weights are taken from the teacher.
struct StudentSpec {
  std::optional<uint32_t> layers;
  bool layers_by_importance = false;       // otherwise the layers that stay are evenly spread
  std::optional<uint32_t> heads;           // in each layer
  std::optional<uint32_t> neurons;         // in each layer
  std::optional<uint32_t> embedding_rank;  // the token table becomes a narrow table and a linear layer

  bool any() const { return layers || heads || neurons || embedding_rank; }
  bool operator==(const StudentSpec&) const = default;
};
/// "layers=3", "layers=3:importance", "heads=6,neurons=768", "embedding=128" and their combinations. Throws
/// Error{bad_recipe} naming the part that is wrong.
StudentSpec parse_student(const std::string& text);
/// The text that parse_student() reads as this; empty when nothing is asked for.
std::string student_text(const StudentSpec& spec);

}  // namespace lathe
