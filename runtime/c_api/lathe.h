/* The C interface of the Lathe runtime: open an artifact, turn texts into vectors.
 *
 * Threads: functions may be called from any thread at once. Calls of lathe_embed on the same model wait for each
 * other; open the artifact once per thread to run side by side. No thread may use a model that another closes.
 * Errors: functions that can fail say so in their result and leave a message for lathe_last_error. */
#ifndef LATHE_H_
#define LATHE_H_

#include <stddef.h>

#if defined(__GNUC__)
#define LATHE_API __attribute__((visibility("default")))
#else
#define LATHE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* An open artifact with its tokenizer and threads. */
typedef struct lathe_model lathe_model;

/* What went wrong. The numbers never change, they only grow. */
typedef enum lathe_status {
  LATHE_OK = 0,
  LATHE_ERROR_INTERNAL = 1,
  LATHE_ERROR_USAGE = 2,       /* a null argument, too small a buffer, LATHE_ISA names what this CPU lacks */
  LATHE_ERROR_MALFORMED = 3,   /* the file breaks its format */
  LATHE_ERROR_NO_INPUT = 4,    /* the file does not exist or cannot be read */
  LATHE_ERROR_UNSUPPORTED = 5, /* a newer format, or a model that does not embed texts */
  LATHE_ERROR_OUT_OF_MEMORY = 6
} lathe_status;

/* "0.1.0" of the library that is loaded. */
LATHE_API const char* lathe_version(void);

/* Opens an artifact; `threads` 0 means all cores. On success *model is to be given to lathe_close, otherwise it is
 * null. */
LATHE_API lathe_status lathe_open(const char* path, size_t threads, lathe_model** model);

/* Accepts null. */
LATHE_API void lathe_close(lathe_model* model);

/* Numbers in the vector of one text; 0 when `model` is null. */
LATHE_API size_t lathe_dimension(const lathe_model* model);

/* Writes count * lathe_dimension(model) floats to `out`, one row for each text, in order. Texts are UTF-8 that ends
 * with a zero byte; longer ones than the model takes are cut. `out_floats` is the size of `out`. The rows for a text
 * do not depend on the others. `out` is left as it is when the result is not LATHE_OK. */
LATHE_API lathe_status lathe_embed(lathe_model* model, const char* const* texts, size_t count, float* out,
                                   size_t out_floats);

/* What went wrong in the last call of this thread that failed; "" when none did. Valid until the next one fails. */
LATHE_API const char* lathe_last_error(void);

#ifdef __cplusplus
}
#endif

#endif /* LATHE_H_ */
