/* The C interface of the Lathe runtime: open an artifact, turn texts into vectors.
 *
 * Threads: functions may be called from any thread at once. Calls of lathe_embed on the same model wait for each
 * other; open the artifact once per thread to run side by side. No thread may use a model that another closes.
 * Errors: a function that fails returns a status other than LATHE_OK and leaves a message for lathe_last_error. */
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
  LATHE_ERROR_USAGE = 2,       /* a null argument, a small buffer, or LATHE_ISA names what this CPU lacks */
  LATHE_ERROR_MALFORMED = 3,   /* the file breaks its format */
  LATHE_ERROR_NO_INPUT = 4,    /* the file does not exist or cannot be read */
  LATHE_ERROR_UNSUPPORTED = 5, /* a newer format, or a model that does not embed texts */
  LATHE_ERROR_OUT_OF_MEMORY = 6
} lathe_status;

/* "0.1.0" of the library that is loaded. */
LATHE_API const char* lathe_version(void);

/* Opens an artifact; `threads` 0 means all cores. On success *model must be closed with lathe_close; otherwise it
 * is null. */
LATHE_API lathe_status lathe_open(const char* path, size_t threads, lathe_model** model);

/* Closes a model and frees its memory. Null is accepted. */
LATHE_API void lathe_close(lathe_model* model);

/* How many numbers the vector of a text has; 0 when `model` is null. */
LATHE_API size_t lathe_dimension(const lathe_model* model);

/* Writes count * lathe_dimension(model) floats to `out`, one row for each text, in order. Texts are UTF-8 and end
 * with a zero byte; a text that is longer than the model takes is cut. `out_floats` is the size of `out`. The rows for
 * a text do not depend on the others. `out` is left as it is when the result is not LATHE_OK. */
LATHE_API lathe_status lathe_embed(lathe_model* model, const char* const* texts, size_t count, float* out,
                                   size_t out_floats);

/* The message of the last call of this thread that failed, or "" when none has. Valid until
 * another call of this thread fails. */
LATHE_API const char* lathe_last_error(void);

#ifdef __cplusplus
}
#endif

#endif /* LATHE_H_ */
