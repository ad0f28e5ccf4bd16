#include "compress/pipeline/layer_pattern.h"

#include <re2/re2.h>

#include "formats/artifact/error.h"

namespace lathe {
namespace {

constexpr std::string_view kExpressionPrefix = "re:";

}  // namespace

LayerPattern::LayerPattern(const std::string& pattern) : name_(pattern) {
  if (!std::string_view(pattern).starts_with(kExpressionPrefix)) return;
  RE2::Options options;
  options.set_log_errors(false);
  expression_ = std::make_shared<RE2>(pattern.substr(kExpressionPrefix.size()), options);
  if (!expression_->ok()) {
    fail(Errc::bad_recipe, message("layer pattern ", pattern, ": ", expression_->error()));
  }
}

bool LayerPattern::matches(const std::string& name) const {
  return expression_ == nullptr ? name == name_ : RE2::FullMatch(name, *expression_);
}

}  // namespace lathe
