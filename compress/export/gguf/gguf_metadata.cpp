#include "compress/export/gguf/gguf_metadata.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/gguf/gguf_keys.h"
#include "formats/gguf/gguf_tokenizer.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr float kSameFrequency = 1e-5f;  // relative; what another way of rounding may do

struct Family {
  std::string_view architecture;  // of the task
  std::string_view gguf;
};
constexpr std::array<Family, 5> kFamilies = {
    {{"llama", "llama"}, {"mistral", "llama"}, {"qwen2", "qwen2"}, {"qwen3", "qwen3"}, {"gpt2", "gpt2"}}};

uint32_t u32(uint64_t value, const char* what) {
  if (value > 0xffffffffu) fail(Errc::limit, message(what, " ", value, " does not fit 32 bits"));
  return static_cast<uint32_t>(value);
}

/// The extent of a tensor in every layer that has it.
uint64_t rows_of_all(const GgufProgram& program, std::string_view pattern, const std::string& file) {
  uint64_t rows = 0;
  for (const GgufWeight& weight : program.weights) {
    if (weight.row->gguf != pattern) continue;
    if (rows != 0 && rows != weight.shape()[0]) {
      fail(Errc::unsupported, message(file, ": ", weight.name, " has ", weight.shape()[0],
                                      " rows, the layers before have ", rows, "; GGUF has one number for all"));
    }
    rows = weight.shape()[0];
  }
  return rows;
}

bool is_near(float a, float b) { return std::abs(a - b) <= kSameFrequency * std::abs(b); }

/// base / frequency for each pair: 1 for plain rope.
std::vector<float> rope_factors(const GgufProgram& program, double theta, uint64_t head_width) {
  std::vector<float> factors;
  for (size_t i = 0; i < program.frequencies.size(); ++i) {
    const double base = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_width));
    factors.push_back(static_cast<float>(base / program.frequencies[i]));
  }
  return factors;
}

void add_rope(const GgufProgram& program, const GgufArchitectureRow& row, const Task& task, const std::string& file,
              uint64_t head_width, GgufFields& fields, std::vector<float>& factors) {
  if (program.frequencies.size() * 2 != head_width) {
    fail(Errc::unsupported, message(file, ": rope turns ", program.frequencies.size() * 2, " of the ", head_width,
                                    " numbers of a head; only whole heads can be exported"));
  }
  if (!(task.rope_theta > 0)) fail(Errc::unsupported, message(file, ": task: rope_theta is missing"));
  const auto key = [&](const char* name) { return gguf_key::of_model(row.name, name); };
  fields[key(gguf_key::kRopeWidth)] = u32(head_width, "rope.dimension_count");
  fields[key(gguf_key::kRopeBase)] = static_cast<float>(task.rope_theta);
  std::vector<float> found = rope_factors(program, task.rope_theta, head_width);
  const bool is_plain = std::all_of(found.begin(), found.end(), [](float factor) { return is_near(factor, 1); });
  if (is_plain) return;
  if (std::all_of(found.begin(), found.end(), [&](float factor) { return is_near(factor, found[0]); })) {
    fields[key(gguf_key::kRopeScaling)] = std::string("linear");
    fields[key(gguf_key::kRopeFactor)] = found[0];
    return;
  }
  if (row.architecture != GgufArchitecture::llama) {
    fail(Errc::unsupported, message(file,
                                    ": the frequencies of rope are scaled one by one, which GGUF has no place "
                                    "for in ",
                                    row.name));
  }
  for (float& factor : found) factor = is_near(factor, 1) ? 1 : factor;
  factors = std::move(found);
}

void add_attention(const GgufProgram& program, const GgufArchitectureRow& row, const std::string& file,
                   uint64_t head_width, uint64_t width, GgufFields& fields) {
  const auto key = [&](const char* name) { return gguf_key::of_model(row.name, name); };
  fields[key(gguf_key::kHeads)] = u32(program.heads, "heads");
  fields[key(gguf_key::kKeyHeads)] = u32(program.kv_heads, "heads of keys");
  if (row.architecture == GgufArchitecture::gpt2) {
    fields[key(gguf_key::kLayerNormEpsilon)] = program.epsilon;
    if (program.kv_heads != program.heads || head_width * program.heads != width) {
      fail(Errc::unsupported, message(file, ": gpt2 in GGUF has heads of ", width / program.heads, " numbers alone"));
    }
    return;
  }
  fields[key(gguf_key::kRmsNormEpsilon)] = program.epsilon;
  fields[key(gguf_key::kKeyWidth)] = u32(head_width, "head width");
  fields[key(gguf_key::kValueWidth)] = u32(head_width, "head width");
  if (program.window == 0) return;
  if (row.architecture != GgufArchitecture::llama) {
    fail(Errc::unsupported, message(file, ": a window of ", program.window, " tokens; GGUF has none for ", row.name));
  }
  fields[key(gguf_key::kWindow)] = u32(program.window, "window");
}

/// A text inside single quotes of the template language.
std::string template_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out + "'";
}

std::string chatml_template(const TokenizerSpec& spec) {
  std::string text;
  if (!spec.default_system.empty()) {
    text +=
        message("{% if messages[0]['role'] != 'system' %}{{ ",
                template_text(message("<|im_start|>system\n", spec.default_system, "<|im_end|>\n")), " }}{% endif %}");
  }
  return text +
         "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + "
         "'<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
}

std::string llama3_template(const TokenizerSpec& spec) {
  constexpr const char* kHead = "<|start_header_id|>";
  constexpr const char* kBody = "<|end_header_id|>\\n\\n";
  std::string text;
  if (!spec.default_system.empty()) {
    text += message("{% if messages[0]['role'] != 'system' %}{{ '", kHead, "system", kBody, "' + ",
                    template_text(spec.default_system), " + '<|eot_id|>' }}{% endif %}");
  }
  return message(text, "{% for message in messages %}{{ '", kHead, "' + message['role'] + '", kBody,
                 "' + message['content'] + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ '", kHead,
                 "assistant", kBody, "' }}{% endif %}");
}

std::string pre_tokenizer(const TokenizerSpec& spec, const std::string& file) {
  const std::string_view name = gguf_pre_tokenizer(spec);
  if (!name.empty()) return std::string(name);
  fail(Errc::unsupported, message(file, ": tokenizer: no name in ", gguf_key::kPreTokenizer,
                                  " stands for the way in which it splits, normalizes and merges text, so that a GGUF "
                                  "file would be read with another one"));
}

void add_special_ids(const TokenizerSpec& spec, GgufFields& fields) {
  const auto add = [&](const char* key, uint32_t id) {
    if (id != kNoToken && id < spec.vocabulary.size()) fields[key] = id;
  };
  add(gguf_key::kBeginId, spec.begin_id);
  const uint32_t end = spec.end_id != kNoToken || spec.stop_ids.empty() ? spec.end_id : spec.stop_ids.front();
  add(gguf_key::kEndId, end);
  add(gguf_key::kPaddingId, spec.pad_id);
  const auto other = std::find_if(spec.stop_ids.begin(), spec.stop_ids.end(), [&](uint32_t id) { return id != end; });
  if (other != spec.stop_ids.end()) add(gguf_key::kTurnEndId, *other);
}

}  // namespace

const GgufArchitectureRow& gguf_architecture_of(const Task& task, const std::string& file) {
  for (const Family& family : kFamilies) {
    if (task.generates() && task.architecture == family.architecture) return *find_gguf_architecture(family.gguf);
  }
  if (!task.generates()) {
    fail(Errc::unsupported,
         message(file, ": is for ", task.kind, "; only models that generate text become GGUF files"));
  }
  fail(Errc::unsupported,
       message(file, ": task: architecture \"", printable(task.architecture), "\" has no place in GGUF"));
}

GgufFields gguf_model_fields(const GgufProgram& program, const GgufArchitectureRow& row, const Task& task,
                             const std::string& file, std::vector<float>& factors) {
  const bool is_gpt2 = row.architecture == GgufArchitecture::gpt2;
  const Shape table = program.find("token_embd.weight")->shape();
  const uint64_t q_rows = is_gpt2 ? table[1] : rows_of_all(program, "blk.{}.attn_q.weight", file);
  if (program.heads == 0 || q_rows % program.heads != 0) {
    fail(Errc::malformed, message(file, ": ", q_rows, " rows of queries are not ", program.heads, " heads"));
  }
  const uint64_t head_width = q_rows / program.heads;
  GgufFields fields;
  const auto key = [&](const char* name) { return gguf_key::of_model(row.name, name); };
  fields[gguf_key::kArchitecture] = std::string(row.name);
  fields[gguf_key::kModelType] = std::string("model");
  fields[gguf_key::kQuantizationVersion] = uint32_t{2};
  fields[key(gguf_key::kVocabularySize)] = u32(table[0], "vocabulary");
  fields[key(gguf_key::kLayers)] = u32(program.layers, "layers");
  fields[key(gguf_key::kContext)] = task.context;
  fields[key(gguf_key::kWidth)] = u32(table[1], "width");
  fields[key(gguf_key::kNeurons)] = u32(rows_of_all(program, "blk.{}.ffn_up.weight", file), "neurons");
  add_attention(program, row, file, head_width, table[1], fields);
  if (!is_gpt2) add_rope(program, row, task, file, head_width, fields, factors);
  return fields;
}

GgufFields gguf_tokenizer_fields(const TokenizerSpec& spec, uint64_t rows, const std::string& file) {
  if (spec.kind != TokenizerKind::byte_bpe) {
    fail(Errc::unsupported, message(file, ": only byte-level tokenizers become part of a GGUF file"));
  }
  if (spec.vocabulary.size() > rows) {
    fail(Errc::malformed, message(file, ": ", spec.vocabulary.size(), " tokens, and the token table has ", rows));
  }
  GgufStrings tokens = spec.vocabulary;
  std::vector<int32_t> types(tokens.size(), kGgufNormalToken);
  for (const AddedToken& token : spec.added_tokens) {
    if (token.id < types.size()) types[token.id] = token.special ? kGgufControlToken : kGgufUserToken;
  }
  for (uint64_t id = tokens.size(); id < rows; ++id) tokens.push_back(message("[PAD", id, "]"));
  types.resize(rows, kGgufUnusedToken);
  GgufStrings merges;
  for (const BpeMerge& merge : spec.merges) {
    merges.push_back(message(spec.vocabulary[merge.left], " ", spec.vocabulary[merge.right]));
  }
  GgufFields fields;
  fields[gguf_key::kTokenizerModel] = std::string(gguf_key::kByteBpe);
  fields[gguf_key::kPreTokenizer] = pre_tokenizer(spec, file);
  fields[gguf_key::kTokens] = std::move(tokens);
  fields[gguf_key::kTokenTypes] = std::move(types);
  fields[gguf_key::kMerges] = std::move(merges);
  fields[gguf_key::kAddsBegin] = spec.add_begin;
  fields[gguf_key::kAddsSpace] = spec.add_prefix_space;
  add_special_ids(spec, fields);
  if (spec.chat == ChatForm::jinja) fields[gguf_key::kChatTemplate] = spec.chat_template;
  if (spec.chat == ChatForm::chatml) fields[gguf_key::kChatTemplate] = chatml_template(spec);
  if (spec.chat == ChatForm::llama3) fields[gguf_key::kChatTemplate] = llama3_template(spec);
  return fields;
}

}  // namespace lathe
