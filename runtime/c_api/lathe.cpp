#include "runtime/c_api/lathe.h"

#include <algorithm>
#include <mutex>
#include <new>

#include "runtime/text/embedder.h"

struct lathe_model {
  lathe_model(const char* path, size_t threads) : model(lathe::Model::open(path)), embedder(model, threads) {}

  lathe::Model model;
  lathe::Embedder embedder;
  std::mutex mutex;  // of the embedder
};

namespace {

constexpr size_t kMaxThreads = 1024;

thread_local std::string last_error;

lathe_status keep_error(lathe_status status, const char* text) noexcept {
  try {
    last_error = text;
  } catch (...) {
    last_error.clear();
  }
  return status;
}

struct Row {
  lathe::Errc code;
  lathe_status status;
};

constexpr Row kStatuses[] = {
    {lathe::Errc::usage, LATHE_ERROR_USAGE},     {lathe::Errc::malformed, LATHE_ERROR_MALFORMED},
    {lathe::Errc::limit, LATHE_ERROR_MALFORMED}, {lathe::Errc::no_input, LATHE_ERROR_NO_INPUT},
    {lathe::Errc::io, LATHE_ERROR_NO_INPUT},     {lathe::Errc::unsupported, LATHE_ERROR_UNSUPPORTED},
};

lathe_status status_of(lathe::Errc code) noexcept {
  for (const Row& row : kStatuses) {
    if (row.code == code) return row.status;
  }
  return LATHE_ERROR_INTERNAL;
}

// Runs `work` and turns whatever it throws into a status and a message: nothing crosses into C.
template <class Work>
lathe_status guarded(const Work& work) noexcept {
  try {
    work();
    return LATHE_OK;
  } catch (const lathe::Error& error) {
    return keep_error(status_of(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    return keep_error(LATHE_ERROR_OUT_OF_MEMORY, "not enough memory");
  } catch (const std::exception& error) {
    return keep_error(LATHE_ERROR_INTERNAL, error.what());
  } catch (...) {
    return keep_error(LATHE_ERROR_INTERNAL, "unknown error");
  }
}

void require_usage(bool condition, const char* text) { lathe::require(condition, lathe::Errc::usage, text); }

}  // namespace

const char* lathe_version(void) { return LATHE_VERSION; }

lathe_status lathe_open(const char* path, size_t threads, lathe_model** model) {
  if (model != nullptr) *model = nullptr;
  return guarded([&] {
    require_usage(model != nullptr, "lathe_open: model is null");
    require_usage(path != nullptr, "lathe_open: path is null");
    require_usage(threads <= kMaxThreads, "lathe_open: threads is above 1024");
    *model = new lathe_model(path, threads);
  });
}

void lathe_close(lathe_model* model) { delete model; }

size_t lathe_dimension(const lathe_model* model) { return model == nullptr ? 0 : model->embedder.dimension(); }

lathe_status lathe_embed(lathe_model* model, const char* const* texts, size_t count, float* out, size_t out_floats) {
  return guarded([&] {
    require_usage(model != nullptr, "lathe_embed: model is null");
    if (count == 0) return;
    require_usage(texts != nullptr, "lathe_embed: texts is null");
    require_usage(out != nullptr, "lathe_embed: out is null");
    if (out_floats / model->embedder.dimension() < count) {
      lathe::fail(lathe::Errc::usage, lathe::message("lathe_embed: out has room for ", out_floats, " floats, ", count,
                                                     " texts take ", model->embedder.dimension(), " each"));
    }
    std::vector<std::string> copies;
    copies.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      require_usage(texts[i] != nullptr, "lathe_embed: a text is null");
      copies.emplace_back(texts[i]);
    }
    const std::lock_guard lock(model->mutex);
    const std::vector<float> rows = model->embedder.embed(copies);
    std::copy(rows.begin(), rows.end(), out);
  });
}

const char* lathe_last_error(void) { return last_error.c_str(); }
