// texts FILE.lathe TEXT...: prints the vectors of the texts.

#include <cstdio>

#include "runtime/text/embedder.h"

int main(int argc, char** argv) {
  const lathe::Model model = lathe::Model::open(argv[1]);
  lathe::Embedder embedder(model);
  for (const float value : embedder.embed({argv + 2, argv + argc})) std::printf("%.9g\n", static_cast<double>(value));
}
