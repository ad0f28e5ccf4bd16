#include "compress/training/torch/state.h"

#include <cstring>
#include <limits>

#include "formats/artifact/mapped_file.h"
#include "formats/json.h"
#include "formats/safetensors/safetensors.h"
#include "formats/safetensors/safetensors_writer.h"

namespace lathe::training {
namespace {

constexpr const char* kFormat = "lathe-training-1";

// Tensors as the safetensors writer takes them. Holds contiguous copies on the CPU.
class TensorViews {
 public:
  void add(const std::string& name, const at::Tensor& tensor) {
    const bool bytes = tensor.scalar_type() == at::kByte;
    kept_.push_back(tensor.detach().to(at::kCPU).contiguous());
    const at::Tensor& own = kept_.back();
    const auto count = static_cast<size_t>(own.numel()) * own.element_size();
    TensorView view{bytes ? DType::u8 : DType::f32, {}, {static_cast<const std::byte*>(own.data_ptr()), count}};
    for (const int64_t size : own.sizes()) view.shape.push_back(static_cast<uint64_t>(size));
    views_[name] = view;
  }
  const std::map<std::string, TensorView>& all() const { return views_; }

 private:
  std::vector<at::Tensor> kept_;
  std::map<std::string, TensorView> views_;
};

Json facts(const TrainingState& state) {
  Json points = Json::array();
  for (const CurvePoint& point : state.curve.points) {
    points.push(Json::object({{"step", point.step},
                              {"train", point.train_loss},
                              {"held_out", point.held_out_loss},
                              {"measure", point.measure}}));
  }
  return Json::object({{"step", state.step},
                       {"finished", state.finished},
                       {"seconds", state.seconds},
                       {"best_loss", state.best.loss},
                       {"loss_sum", state.loss_sum},
                       {"loss_count", state.loss_count},
                       {"bad_checks", state.best.bad_checks},
                       {"pruned_share", state.pruning_progress},
                       {"best_pruned_share", state.best.pruning_progress},
                       {"tokens", state.curve.tokens},
                       {"best_step", state.best.step},
                       {"outcome", state.curve.outcome},
                       {"points", points}});
}

// JSON has neither NaN nor infinity: both were written as null.
double number_of(const Json& json, const std::string& where) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.as_f64(where);
}

void read_facts(const Json& json, const std::string& where, TrainingState& state) {
  const auto integer = [&](const Json& from, const char* key) { return from.at(key, where).as_u64(where); };
  const auto number = [&](const Json& from, const char* key) { return number_of(from.at(key, where), where); };
  state.step = integer(json, "step");
  state.finished = json.at("finished", where).as_bool(where);
  state.seconds = number(json, "seconds");
  state.best.loss = number(json, "best_loss");
  state.loss_sum = number(json, "loss_sum");
  state.loss_count = integer(json, "loss_count");
  state.best.bad_checks = integer(json, "bad_checks");
  state.pruning_progress = number(json, "pruned_share");
  state.best.pruning_progress = number(json, "best_pruned_share");
  state.curve.tokens = integer(json, "tokens");
  state.best.step = integer(json, "best_step");
  state.curve.outcome = json.at("outcome", where).as_string(where);
  state.curve.points.clear();
  for (const Json& point : json.at("points", where).items(where)) {
    state.curve.points.push_back(
        {integer(point, "step"), number(point, "train"), number(point, "held_out"), number(point, "measure")});
  }
}

// Reads tensors by name into others of the same shape.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path)
      : path_(path.string()), file_(path), header_(parse_safetensors(file_.bytes(), path_)) {}

  std::string text(const std::string& key) const {
    for (const auto& [name, value] : header_.metadata) {
      if (name == key) return value;
    }
    return {};
  }
  bool has(const std::string& name) const { return header_.find(name) != nullptr; }
  at::Tensor read(const std::string& name, const at::Tensor& like) const {
    const SafetensorsEntry* entry = header_.find(name);
    at::Tensor out = at::empty(like.sizes(), at::TensorOptions(like.scalar_type()));
    const auto bytes = static_cast<size_t>(out.numel()) * out.element_size();
    if (entry == nullptr || entry->end - entry->begin != bytes) {
      fail(Errc::malformed,
           message(path_, ": tensor ", name,
                   entry == nullptr ? " is missing" : " has another size than the weight it belongs to"));
    }
    const TensorView view = view_of(*entry, header_, file_.bytes(), path_);
    std::memcpy(out.data_ptr(), view.bytes.data(), bytes);
    return out.to(like.device());
  }

 private:
  std::string path_;
  MappedFile file_;
  SafetensorsHeader header_;
};

}  // namespace

std::filesystem::path state_file(const std::filesystem::path& folder, const std::string& stage) {
  std::string name = stage;
  for (char& c : name) c = c == ' ' ? '-' : c;
  return folder / (name + ".safetensors");
}

void save_state(const std::filesystem::path& file, const std::string& fingerprint, const TrainingState& state,
                const TrainableWeights& weights) {
  TensorViews views;
  const std::vector<Parameter>& parameters = weights.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    views.add("value:" + parameters[i].name, parameters[i].value);
    views.add("first:" + parameters[i].name, parameters[i].first);
    views.add("second:" + parameters[i].name, parameters[i].second);
    if (state.best.exist()) views.add("best:" + parameters[i].name, state.best.values[i]);
  }
  for (const auto& [name, mask] : weights.masks()) views.add("mask:" + name, mask);
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
  write_safetensors(file, views.all(),
                    {{"format", kFormat}, {"fingerprint", fingerprint}, {"state", to_text(facts(state))}});
}

bool load_state(const std::filesystem::path& file, const std::string& fingerprint, TrainingState& state,
                TrainableWeights& weights) {
  if (!std::filesystem::exists(file)) return false;
  const Reader reader(file);
  if (reader.text("format") != kFormat) {
    fail(Errc::malformed, message(file.string(), ": format is \"", reader.text("format"), "\", expected ", kFormat));
  }
  if (reader.text("fingerprint") != fingerprint) {
    fail(Errc::usage, message(file.string(),
                              ": the file holds the state of another run (another model, data, options or "
                              "version); give --resume another folder, or remove the file"));
  }
  read_facts(parse_json(reader.text("state"), file.string()), file.string(), state);
  std::vector<Parameter>& parameters = weights.parameters();
  const bool has_best = !parameters.empty() && reader.has("best:" + parameters[0].name);
  if (state.finished && !has_best) {
    fail(Errc::malformed, message(file.string(), ": the stage is finished, but its best weights are missing"));
  }
  state.best.values.clear();
  for (Parameter& parameter : parameters) {
    parameter.value = reader.read("value:" + parameter.name, parameter.value);
    parameter.first = reader.read("first:" + parameter.name, parameter.first);
    parameter.second = reader.read("second:" + parameter.name, parameter.second);
    if (has_best) state.best.values.push_back(reader.read("best:" + parameter.name, parameter.value).to(at::kCPU));
  }
  for (const Parameter& parameter : parameters) {
    const std::string mask = "mask:" + parameter.name;
    if (!reader.has(mask)) continue;
    weights.set_mask(parameter.name, reader.read(mask, at::empty_like(parameter.value, at::kByte)));
  }
  return true;
}

}  // namespace lathe::training
