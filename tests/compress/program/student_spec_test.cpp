#include "compress/program/student_spec.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/formats/expect_error.h"

namespace lathe {

using test::expect_error;

TEST_CASE("a student is read part by part and written the same way", "[compress][program]") {
  const StudentSpec three = parse_student("layers=3");
  CHECK(three.layers == 3u);
  CHECK_FALSE(three.layers_by_importance);
  CHECK_FALSE(three.heads);
  CHECK(parse_student("layers=3:importance").layers_by_importance);
  const StudentSpec narrow = parse_student("heads=6,neurons=768");
  CHECK(narrow.heads == 6u);
  CHECK(narrow.neurons == 768u);
  CHECK_FALSE(narrow.layers);
  CHECK(parse_student("embedding=128").embedding_rank == 128u);
  for (const char* text : {"layers=3", "layers=1:importance", "heads=6,neurons=768", "embedding=128",
                           "layers=3:importance,heads=6,neurons=768,embedding=128"}) {
    CHECK(student_text(parse_student(text)) == text);
  }
  CHECK(student_text(parse_student("embedding=128,layers=3")) == "layers=3,embedding=128");
  CHECK(student_text(StudentSpec()).empty());
  CHECK_FALSE(StudentSpec().any());
  CHECK(narrow.any());
}

TEST_CASE("a student that makes no sense is an error that names the part", "[compress][program]") {
  const std::vector<std::pair<std::string, std::string>> cases = {{"", "\"\""},
                                                                  {"layers", "has no number"},
                                                                  {"layers=", "not an integer in [1, 1000000]"},
                                                                  {"layers=0", "\"0\""},
                                                                  {"layers=-1", "\"-1\""},
                                                                  {"layers=3x", "\"3x\""},
                                                                  {"layers=4294967297", "4294967297"},
                                                                  {"layers=3:best", "3:best"},
                                                                  {"heads=3:importance", "3:importance"},
                                                                  {"depth=3", "depth=3"},
                                                                  {"heads=6,", "\"\""},
                                                                  {"heads=6,,neurons=5", "\"\""},
                                                                  {"heads=6, neurons=5", " neurons=5"},
                                                                  {"heads=6,heads=7", "heads is given twice"},
                                                                  {"heads=6,x\n=7", "x\\x0a=7"}};
  for (const auto& [text, part] : cases) {
    INFO(text);
    expect_error(Errc::bad_recipe, {"student", part, "layers=N:importance"}, [&, t = text] { parse_student(t); });
  }
}

}  // namespace lathe
