#include "experiments/cuda/device_check.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <ostream>

#include "runtime/cuda/executor.h"
#include "runtime/cuda/launch.h"
#include "runtime/cuda/linear.h"
#include "runtime/cuda/weights.h"
#include "runtime/generation.h"
#include "runtime/random.h"

namespace lathe::experiments {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Writes the members of a JSON object one by one.
class Report {
 public:
  explicit Report(std::ostream& out) : out_(out) {}

  void add(const std::string& name, const std::string& value) {
    out_ << (first_ ? "{" : ",") << "\n  \"" << name << "\": " << value << std::flush;
    first_ = false;
  }
  void finish() const { out_ << "\n}\n"; }

 private:
  std::ostream& out_;
  bool first_ = true;
};

std::string list_text(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "\n    " : ",\n    ") + item;
  return "[" + text + "\n  ]";
}

MakeExecutor executor_on(const std::shared_ptr<cuda::Device>& device) {
  return [device](const Program& program, const WeightLookup& weights) {
    return cuda::make_executor(device, program, weights);
  };
}

// ---- correctness ----

struct Difference {
  double relative = 0;  // the largest difference over the largest number
  bool equal = true;

  std::string text() const { return message("\"relative\": ", relative, ", \"equal\": ", equal ? "true" : "false"); }
};

Difference difference(const std::vector<float>& actual, const std::vector<float>& expected) {
  double largest = 1e-30, worst = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    const double distance = std::abs(static_cast<double>(actual[i]) - expected[i]);
    worst = std::isfinite(distance) ? std::max(worst, distance) : INFINITY;
  }
  return {worst / largest, std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(float)) == 0};
}

std::vector<float> random_numbers(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(2 * random.uniform() - 1);
  return values;
}

std::vector<float> run_samples(const Model& model, const std::vector<float>& x, size_t rows, size_t width) {
  std::vector<float> y(rows * width);
  const float* const inputs[] = {x.data()};
  float* const outputs[] = {y.data()};
  Session(model, 0).run(DenseBatch{rows}, inputs, outputs);
  return y;
}

Program linear_program(uint32_t outputs, uint32_t inputs, InputBits bits) {
  Program program;
  program.weights = {"w"};
  program.add_value("x", RowKind::samples, inputs);
  program.add_value("y", RowKind::samples, outputs);
  program.ops.push_back({ops::Linear{bits}, {0}, {0, kNone}, 1});
  program.inputs = {0};
  program.outputs = {1};
  return program;
}

std::string check_layer(const MakeExecutor& on_device, const Encoding& encoding, uint32_t outputs, uint32_t inputs,
                        uint32_t rows, InputBits bits) {
  const Program program = linear_program(outputs, inputs, bits);
  const EncodedBuffer weight = made_up_weight({outputs, inputs}, encoding, 3);
  const WeightLookup lookup = [&](const std::string&) { return weight.view(); };
  const std::vector<float> x = random_numbers(static_cast<size_t>(rows) * inputs, rows);
  const Model cpu = Model::build(program, lookup, "layer", Device::cpu);
  const Model cuda = Model::build(program, lookup, "layer", on_device);
  return message("{\"encoding\": \"", encoding_name(encoding), "\", \"outputs\": ", outputs, ", \"inputs\": ", inputs,
                 ", \"rows\": ", rows, ", \"input_bits\": ", bits == InputBits::eight ? 8 : 16, ", ",
                 difference(run_samples(cuda, x, rows, outputs), run_samples(cpu, x, rows, outputs)).text(), "}");
}

std::string check_layers(const MakeExecutor& on_device, uint32_t large) {
  std::vector<std::string> items;
  for (const Encoding& encoding :
       {Encoding{ValueType::int8, Sparsity::dense, 0}, Encoding{ValueType::int4, Sparsity::dense, 32}}) {
    for (const InputBits bits : {InputBits::eight, InputBits::sixteen}) {
      for (const uint32_t rows : {1u, 3u, 8u, 9u, 200u})
        items.push_back(check_layer(on_device, encoding, 333, 577, rows, bits));
    }
    items.push_back(check_layer(on_device, encoding, large, large, 512, InputBits::eight));
  }
  return list_text(items);
}

TokenBatch random_tokens(const Model& model, size_t sequences, size_t length, uint64_t seed) {
  Random random(seed);
  const size_t ids = std::min<size_t>(model.vocabulary_size(), 20'000);
  TokenBatch batch;
  for (size_t s = 0; s < sequences; ++s) {
    std::vector<int32_t> tokens;
    for (size_t i = 0; i < length; ++i)
      tokens.push_back(static_cast<int32_t>(random.uniform() * static_cast<double>(ids)));
    batch.add(tokens);
  }
  return batch;
}

std::vector<float> outputs_of(const Model& model, const TokenBatch& batch) {
  const Value& output = model.program().values[model.program().outputs.at(0)];
  std::vector<float> y((output.rows == RowKind::tokens ? batch.tokens() : batch.sequences()) * output.shape.size());
  float* const places[] = {y.data()};
  Session(model, 0).run(batch, {}, places);
  return y;
}

// The perplexity of a text: how well each token follows from those before it.
double perplexity(const Model& model, const std::vector<int32_t>& text) {
  TokenBatch batch;
  batch.add(text);
  const std::vector<float> logits = outputs_of(model, batch);
  const size_t width = logits.size() / text.size();
  double sum = 0;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    const float* row = &logits[i * width];
    const double largest = *std::max_element(row, row + width);
    double total = 0;
    for (size_t v = 0; v < width; ++v) total += std::exp(row[v] - largest);
    sum += largest + std::log(total) - row[text[i + 1]];
  }
  return std::exp(sum / static_cast<double>(text.size() - 1));
}

// A decoder on both: the tokens that it generates, and the perplexity of a text that it draws itself on the CPU.
std::string check_decoder(const Model& cpu, const Model& cuda, const std::vector<int32_t>& prompt) {
  GenerationOptions options;
  options.max_new_tokens = 32;
  Session on_cpu(cpu), on_cuda(cuda);
  const bool same = generate(on_cuda, {prompt}, options) == generate(on_cpu, {prompt}, options);
  options.max_new_tokens = std::min<size_t>(256, cpu.max_tokens() - prompt.size());
  options.sampling.temperature = 1;
  const std::vector<int32_t> text = generate(on_cpu, {prompt}, options).at(0);
  return message(", \"same_tokens\": ", same ? "true" : "false", ", \"perplexity_on_cpu\": ", perplexity(cpu, text),
                 ", \"perplexity\": ", perplexity(cuda, text));
}

std::string check_artifact(const MakeExecutor& on_device, const std::string& path) {
  const Model cpu = Model::open(path, Device::cpu);
  const Model cuda = Model::open(path, on_device);
  const size_t length = std::min<size_t>(cpu.max_tokens(), 100);
  const TokenBatch batch = random_tokens(cpu, 3, length, 5);
  std::string text = message("{\"file\": \"", std::filesystem::path(path).filename().string(), "\", ",
                             difference(outputs_of(cuda, batch), outputs_of(cpu, batch)).text());
  if (is_generator(cpu.program())) text += check_decoder(cpu, cuda, {batch.ids.begin(), batch.ids.begin() + 16});
  return text + "}";
}

// ---- speed ----

// Seconds of one repetition of the work that `launch_all` puts into the queue.
template <class LaunchAll>
double time_graph(cuda::Queue& queue, const LaunchAll& launch_all, size_t repetitions) {
  queue.begin_capture();
  launch_all();
  const std::unique_ptr<cuda::Graph> graph = queue.end_capture();
  queue.run(*graph);
  queue.wait();
  double best = INFINITY;
  for (int round = 0; round < 5; ++round) {
    const Clock::time_point start = Clock::now();
    for (size_t i = 0; i < repetitions; ++i) queue.run(*graph);
    queue.wait();
    best = std::min(best, seconds_since(start) / static_cast<double>(repetitions));
  }
  return best;
}

double copy_bandwidth(cuda::Device& device, size_t bytes) {
  const cuda::DeviceMemory from(device, bytes, "the source of a copy");
  const cuda::DeviceMemory to(device, bytes, "the target of a copy");
  const std::unique_ptr<cuda::Queue> queue = device.make_queue();
  const double seconds = time_graph(
      *queue, [&] { queue->copy(to.data(), from.data(), bytes); }, 10);
  return 2 * static_cast<double>(bytes) / seconds;
}

// A layer in memory of the device, with inputs of zeros: the speed does not depend on the values.
std::string time_layer(cuda::Device& device, const Encoding& encoding, uint32_t size, uint32_t rows, double bandwidth) {
  const Program program = linear_program(size, size, InputBits::eight);
  const EncodedBuffer weight = made_up_weight({size, size}, encoding, 3);
  const cuda::WeightStore store =
      cuda::upload_weights(device, program, [&](const std::string&) { return weight.view(); });
  const cuda::DeviceMemory memory(device, static_cast<size_t>(rows) * size * 8 + (size_t{1} << 20), "a layer");
  const cuda::PinnedMemory zeros(device, memory.bytes(), "zeros");
  std::memset(zeros.data(), 0, zeros.bytes());
  cuda::Arena arena(memory.data());
  const cuda::QuantizedRows x{arena.take<unsigned char>(static_cast<size_t>(rows) * size), arena.take<float>(rows),
                              arena.take<int32_t>(rows), size};
  const cuda::DeviceMemory expanded(device, static_cast<size_t>(size) * size, "an expanded weight");
  const cuda::IntegerLinearArgs args{
      store.matrices.at("w"), x, nullptr, nullptr, rows, 0, {}, arena.take<float>(static_cast<size_t>(rows) * size)};
  const std::unique_ptr<cuda::Queue> queue = device.make_queue();
  queue->upload(memory.data(), zeros.data(), zeros.bytes());
  queue->wait();
  const double seconds = time_graph(
      *queue,
      [&] {
        cuda::launch_linear(*queue, args, reinterpret_cast<unsigned char*>(expanded.data()),
                            device.facts().multiprocessors);
      },
      20);
  const auto bytes = static_cast<double>(weight.view().bytes());
  const double operations = 2.0 * size * size * rows;
  return message("{\"encoding\": \"", encoding_name(encoding), "\", \"size\": ", size, ", \"rows\": ", rows,
                 ", \"microseconds\": ", seconds * 1e6, ", \"share_of_copy_bandwidth\": ", bytes / seconds / bandwidth,
                 ", \"tera_operations\": ", operations / seconds / 1e12, "}");
}

std::string time_decoder(const MakeExecutor& on_device, const LlamaShape& shape, const Encoding& encoding, size_t batch,
                         size_t prompt, size_t new_tokens) {
  const MadeUpModel made = make_llama(shape, encoding);
  const Model model = Model::build(made.program, made.lookup(), shape.name, on_device);
  Session session(model);
  std::vector<std::vector<int32_t>> prompts(batch, std::vector<int32_t>(prompt, 7));
  GenerationOptions options;
  options.max_new_tokens = new_tokens;
  GenerationTimes times;
  generate(session, prompts, options);  // grows the memory and records the graph
  generate(session, prompts, options, {}, &times);
  return message("{\"model\": \"", shape.name, "\", \"encoding\": \"", encoding_name(encoding),
                 "\", \"batch\": ", batch, ", \"prompt\": ", prompt, ", \"prefill_ms\": ", times.prefill_seconds * 1e3,
                 ", \"tokens_per_second\": ", static_cast<double>(times.decoded_tokens) / times.decode_seconds, "}");
}

std::string time_encoder(const MakeExecutor& on_device, const std::string& path, size_t batch, size_t length,
                         int runs) {
  const Model model = Model::open(path, on_device);
  Session session(model);
  const TokenBatch tokens = random_tokens(model, batch, length, 9);
  for (int i = 0; i < 3; ++i) session.embed(tokens);
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) {
    const Clock::time_point start = Clock::now();
    session.embed(tokens);
    times.push_back(seconds_since(start));
  }
  std::sort(times.begin(), times.end());
  return message("{\"file\": \"", std::filesystem::path(path).filename().string(), "\", \"batch\": ", batch,
                 ", \"length\": ", length, ", \"p50_ms\": ", times[times.size() / 2] * 1e3, "}");
}

std::string time_layers(cuda::Device& device, uint32_t size, double bandwidth) {
  std::vector<std::string> items;
  const Encoding int8{ValueType::int8, Sparsity::dense, 0}, int4{ValueType::int4, Sparsity::dense, 32};
  for (const Encoding& encoding : {int8, int4}) {
    for (const uint32_t rows : {1u, 4u, 8u, 16u, 512u}) {
      items.push_back(time_layer(device, encoding, size, rows, bandwidth));
    }
  }
  return list_text(items);
}

std::string time_decoders(const MakeExecutor& on_device, const DeviceCheck& check) {
  std::vector<std::string> items;
  const Encoding int8{ValueType::int8, Sparsity::dense, 0}, int4{ValueType::int4, Sparsity::dense, 32};
  for (const LlamaShape& shape : check.decoders) {
    for (const Encoding& encoding : {int4, int8}) {
      for (const size_t batch : check.batches) {
        items.push_back(time_decoder(on_device, shape, encoding, batch, check.prompt, check.new_tokens));
      }
    }
  }
  return list_text(items);
}

std::string time_encoders(const MakeExecutor& on_device, const DeviceCheck& check) {
  std::vector<std::string> items;
  for (const std::string& path : check.artifacts) {
    if (is_generator(Model::open(path).program())) continue;
    for (const size_t batch : check.encoder_batches) {
      items.push_back(time_encoder(on_device, path, batch, check.encoder_length, check.runs));
    }
  }
  return list_text(items);
}

}  // namespace

void check_device(const std::shared_ptr<cuda::Device>& device, const DeviceCheck& check, std::ostream& out) {
  Report report(out);
  const MakeExecutor on_device = executor_on(device);
  const cuda::DeviceFacts& facts = device->facts();
  report.add("device", message("{\"name\": \"", facts.name, "\", \"compute_capability\": \"", facts.major, ".",
                               facts.minor, "\", \"multiprocessors\": ", facts.multiprocessors,
                               ", \"memory_bytes\": ", facts.memory_bytes, "}"));
  if (!check.only_artifacts) report.add("layers_against_the_cpu", check_layers(on_device, check.checked_layer));
  std::vector<std::string> checked;
  for (const std::string& path : check.artifacts) checked.push_back(check_artifact(on_device, path));
  report.add("artifacts_against_the_cpu", list_text(checked));
  if (check.only_artifacts) return report.finish();
  const double bandwidth = copy_bandwidth(*device, check.copied_bytes);
  report.add("copy_bytes_per_second", message(bandwidth));
  report.add("layers", time_layers(*device, check.timed_layer, bandwidth));
  report.add("encoders", time_encoders(on_device, check));
  report.add("decoders", time_decoders(on_device, check));
  report.finish();
}

}  // namespace lathe::experiments
