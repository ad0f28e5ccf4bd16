// tokens FILE.lathe ID...: prints the outputs of the model for one sequence of token ids.

#include <cstdio>
#include <cstdlib>

#include "runtime/session.h"

int main(int argc, char** argv) {
  const lathe::Model model = lathe::Model::open(argv[1]);
  std::vector<int32_t> ids;
  for (int i = 2; i < argc; ++i) ids.push_back(std::atoi(argv[i]));
  lathe::TokenBatch batch;
  batch.add(ids);
  for (const float value : lathe::Session(model).embed(batch)) std::printf("%.9g\n", static_cast<double>(value));
}
