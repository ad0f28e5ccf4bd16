/* Compiled as C: the header is plain C, and a C program can use the library. Returns 0, or the line that failed. */
#include <math.h>
#include <string.h>

#include "runtime/c_api/lathe.h"

#define EXPECT(condition) \
  if (!(condition)) return __LINE__

enum { kWidth = 32 };

static int check_use(lathe_model* model) {
  const char* texts[3] = {"the cat sat on the mat", "the sun is bright", "the cat sat on the mat"};
  float rows[3 * kWidth];
  double squares = 0;
  int i;
  EXPECT(lathe_dimension(model) == kWidth);
  EXPECT(lathe_embed(model, texts, 3, rows, 3 * kWidth) == LATHE_OK);
  EXPECT(memcmp(rows, rows + 2 * kWidth, kWidth * sizeof(float)) == 0);
  EXPECT(memcmp(rows, rows + kWidth, kWidth * sizeof(float)) != 0);
  for (i = 0; i < kWidth; ++i) squares += (double)rows[i] * rows[i];
  EXPECT(fabs(squares - 1) < 1e-4);
  EXPECT(lathe_embed(model, NULL, 0, NULL, 0) == LATHE_OK);
  return 0;
}

static int check_errors(lathe_model* model) {
  const char* texts[2] = {"cat", NULL};
  float rows[2 * kWidth] = {7};
  EXPECT(lathe_embed(model, texts, 2, rows, 2 * kWidth) == LATHE_ERROR_USAGE);
  EXPECT(strstr(lathe_last_error(), "null") != NULL);
  EXPECT(lathe_embed(model, texts, 1, rows, kWidth - 1) == LATHE_ERROR_USAGE);
  EXPECT(lathe_embed(model, texts, (size_t)-1, rows, kWidth) == LATHE_ERROR_USAGE);
  EXPECT(lathe_embed(NULL, texts, 1, rows, kWidth) == LATHE_ERROR_USAGE);
  EXPECT(lathe_embed(model, texts, 1, NULL, kWidth) == LATHE_ERROR_USAGE);
  EXPECT(rows[0] == 7);
  EXPECT(lathe_dimension(NULL) == 0);
  lathe_close(NULL);
  return 0;
}

int lathe_c_api_check(const char* path) {
  lathe_model* model = NULL;
  int line;
  EXPECT(lathe_open(path, 1, &model) == LATHE_OK);
  EXPECT(model != NULL);
  line = check_use(model);
  if (line == 0) line = check_errors(model);
  lathe_close(model);
  return line;
}
