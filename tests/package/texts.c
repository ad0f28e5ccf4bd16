/* texts FILE.lathe TEXT: prints the vector of the text. */

#include <lathe.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  lathe_model* model = NULL;
  const char* text = argc == 3 ? argv[2] : "";
  if (lathe_open(argv[1], 0, &model) != LATHE_OK) {
    fprintf(stderr, "%s\n", lathe_last_error());
    return 1;
  }
  const size_t width = lathe_dimension(model);
  float* row = malloc(width * sizeof(float));
  if (lathe_embed(model, &text, 1, row, width) != LATHE_OK) {
    fprintf(stderr, "%s\n", lathe_last_error());
    return 1;
  }
  for (size_t i = 0; i < width; ++i) printf("%.9g\n", (double)row[i]);
  free(row);
  lathe_close(model);
  return 0;
}
