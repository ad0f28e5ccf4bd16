// The program section on arbitrary bytes, with weights of plausible shapes.

#include <cstdint>
#include <span>

#include "formats/artifact/program_section.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const lathe::Program program = lathe::decode_program(std::as_bytes(std::span(data, size)), "fuzz");
    lathe::validate(
        program,
        [](const std::string& name) {
          return lathe::Shape{name.size() + 1, 8};
        },
        "fuzz");
    lathe::encode_program(program);
  } catch (const lathe::Error&) {
  }
  return 0;
}
