#include "formats/hdf5/model_config.h"

#include "formats/json.h"

namespace lathe {
namespace {

/// Waits for a member "class_name": "Lambda" anywhere.
class LambdaFinder : public JsonEvents {
 public:
  explicit LambdaFinder(const std::string& what) : what_(what) {}

  void begin_object() override { is_class_ = false; }
  void key(std::string key) override { is_class_ = key == "class_name"; }
  void end_object() override { is_class_ = false; }
  void begin_array() override { is_class_ = false; }
  void end_array() override { is_class_ = false; }
  void scalar(Json value) override {
    if (is_class_ && value.is_string() && value.as_string() == "Lambda") {
      fail(Errc::unsupported, message(what_, ": the model has a Lambda layer, which is code and is not supported"));
    }
    is_class_ = false;
  }

 private:
  const std::string& what_;
  bool is_class_ = false;
};

}  // namespace

std::string check_keras_config(std::string_view text, const std::string& what) {
  JsonLimits limits;
  limits.max_depth = 200;  // models inside models
  LambdaFinder finder(what);
  try {
    parse_json_events(text, what, finder, limits);
  } catch (const Error& error) {
    if (error.code() == Errc::unsupported) throw;
    return error.what();
  }
  return {};
}

}  // namespace lathe
