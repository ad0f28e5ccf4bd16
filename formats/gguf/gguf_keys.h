#pragma once
// The keys of a GGUF file's metadata, for what reads them and for what writes them.

#include <string>
#include <string_view>

#include "formats/artifact/error.h"

namespace lathe::gguf_key {

inline constexpr const char* kArchitecture = "general.architecture";
inline constexpr const char* kModelType = "general.type";
inline constexpr const char* kQuantizationVersion = "general.quantization_version";

/// The key of a property of the model: "llama.block_count".
inline std::string of_model(std::string_view architecture, std::string_view property) {
  return message(architecture, ".", property);
}
inline constexpr const char* kVocabularySize = "vocab_size";
inline constexpr const char* kLayers = "block_count";
inline constexpr const char* kContext = "context_length";
inline constexpr const char* kWidth = "embedding_length";
inline constexpr const char* kNeurons = "feed_forward_length";
inline constexpr const char* kExperts = "expert_count";
inline constexpr const char* kHeads = "attention.head_count";
inline constexpr const char* kKeyHeads = "attention.head_count_kv";
inline constexpr const char* kKeyWidth = "attention.key_length";
inline constexpr const char* kValueWidth = "attention.value_length";
inline constexpr const char* kWindow = "attention.sliding_window";
inline constexpr const char* kLayerNormEpsilon = "attention.layer_norm_epsilon";
inline constexpr const char* kRmsNormEpsilon = "attention.layer_norm_rms_epsilon";
inline constexpr const char* kRopeWidth = "rope.dimension_count";
inline constexpr const char* kRopeBase = "rope.freq_base";
inline constexpr const char* kRopeScaling = "rope.scaling.type";
inline constexpr const char* kRopeFactor = "rope.scaling.factor";
inline constexpr const char* kOldRopeFactor = "rope.scale_linear";  // of files from before rope.scaling.type

inline constexpr const char* kTokenizerModel = "tokenizer.ggml.model";
inline constexpr const char* kPreTokenizer = "tokenizer.ggml.pre";
inline constexpr const char* kTokens = "tokenizer.ggml.tokens";
inline constexpr const char* kTokenTypes = "tokenizer.ggml.token_type";
inline constexpr const char* kMerges = "tokenizer.ggml.merges";
inline constexpr const char* kAddsBegin = "tokenizer.ggml.add_bos_token";
inline constexpr const char* kAddsEnd = "tokenizer.ggml.add_eos_token";
inline constexpr const char* kAddsSpace = "tokenizer.ggml.add_space_prefix";
inline constexpr const char* kBeginId = "tokenizer.ggml.bos_token_id";
inline constexpr const char* kEndId = "tokenizer.ggml.eos_token_id";
inline constexpr const char* kTurnEndId = "tokenizer.ggml.eot_token_id";
inline constexpr const char* kMessageEndId = "tokenizer.ggml.eom_token_id";
inline constexpr const char* kUnknownId = "tokenizer.ggml.unknown_token_id";
inline constexpr const char* kPaddingId = "tokenizer.ggml.padding_token_id";
inline constexpr const char* kChatTemplate = "tokenizer.chat_template";

/// The value of kTokenizerModel for byte-level BPE.
inline constexpr const char* kByteBpe = "gpt2";

}  // namespace lathe::gguf_key
