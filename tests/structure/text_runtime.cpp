// The same with text: text_runtime [FILE.lathe TEXT]

#include <cstdio>

#include "runtime/text/embedder.h"

int main(int argc, char** argv) {
  if (argc < 3) return 0;
  try {
    const lathe::Model model = lathe::Model::open(argv[1]);
    for (const float value : lathe::Embedder(model).embed({argv[2]})) std::printf("%.9g\n", static_cast<double>(value));
    return 0;
  } catch (const lathe::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
