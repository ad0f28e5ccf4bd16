#include "compress/source/architectures/decoder_tensors.h"

#include <algorithm>

#include "formats/converted_checkpoint.h"

namespace lathe::architectures_detail {

void hide_tensors(SourceModel& model, const std::vector<std::string>& names) {
  model.checkpoint =
      std::make_shared<ConvertedCheckpoint>(model.checkpoint, std::map<std::string, TensorConversion>{}, names);
}

std::string head_weight(SourceModel& model, const std::string& table, const std::string& head, bool tied) {
  if (!tied) return head;
  if (!model.checkpoint->has(head)) return table;
  const TensorView a = model.checkpoint->tensor(table);
  const TensorView b = model.checkpoint->tensor(head);
  const bool same = a.dtype == b.dtype && a.shape == b.shape &&
                    std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end());
  if (!same) {
    fail(Errc::malformed, message(model.checkpoint->where(head), ": tensor ", head, " differs from ", table,
                                  ", with which the config ties it (tie_word_embeddings)"));
  }
  model.checkpoint->release(table);
  hide_tensors(model, {head});
  return table;
}

}  // namespace lathe::architectures_detail
