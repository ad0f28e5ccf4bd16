// The smallest user of the runtime: token ids in, numbers out. What it links is what the runtime needs.
//   runtime_only [FILE.lathe ID...]

#include <cstdio>
#include <cstdlib>

#include "runtime/session.h"

int main(int argc, char** argv) {
  if (argc < 3) return 0;
  try {
    const lathe::Model model = lathe::Model::open(argv[1]);
    std::vector<int32_t> ids;
    for (int i = 2; i < argc; ++i) ids.push_back(std::atoi(argv[i]));
    lathe::TokenBatch batch;
    batch.add(ids);
    for (const float value : lathe::Session(model).embed(batch)) std::printf("%.9g\n", static_cast<double>(value));
    return 0;
  } catch (const lathe::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
