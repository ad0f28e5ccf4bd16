#pragma once
// What sentence-transformers adds to a model folder: how token vectors become one vector for the text.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "formats/artifact/program.h"

namespace lathe {

struct SentenceTransformer {
  Pooling pooling = Pooling::mean;
  bool normalize = false;              // to length 1, after pooling
  std::optional<uint32_t> max_length;  // tokens of one text, from sentence_bert_config.json
  std::string default_prompt = {};     // goes before every text, from config_sentence_transformers.json
};

/// nullopt when the folder has no modules.json. Throws Error{unsupported} naming a module or pooling mode that is not
/// handled (or a combination of modes) or a prompt that pooling is to leave out, Error{malformed} or Error{no_input}
/// for broken files.
std::optional<SentenceTransformer> read_sentence_transformer(const std::filesystem::path& folder);

/// max_seq_length of the folder's sentence_bert_config.json; nullopt when the file or the field is absent.
std::optional<uint32_t> read_max_seq_length(const std::filesystem::path& folder);

}  // namespace lathe
