#pragma once
// A checkpoint whose tensors are not stored as they are wanted: under another name, transposed, cut up, compressed or
// quantized.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "formats/checkpoint.h"

namespace lathe {

/// How a tensor comes about. `write` fills as many values of the type as `shape` has, at an address that is aligned for
/// any of them; it may be called from any thread.
struct TensorConversion {
  Shape shape;
  std::function<void(void* out)> write;
  std::string where;  // the file it comes from, for messages
  DType dtype = DType::f32;
};

/// Tensors of another checkpoint (or none) together with converted ones. A converted tensor is computed when it is
/// first asked for and kept in an unlinked temporary file ($TMPDIR, else /var/tmp), mapped, so that its pages need no
/// memory once released; views live as long as the checkpoint. Throws Error{io} when that file cannot grow.
class ConvertedCheckpoint : public Checkpoint {
 public:
  /// `base` may be null, then `files` tells what the conversions read. Names in `hidden` are those of base that are
  /// used up by conversions.
  ConvertedCheckpoint(std::shared_ptr<const Checkpoint> base, std::map<std::string, TensorConversion> conversions,
                      const std::vector<std::string>& hidden, std::vector<SourceFile> files = {});
  ~ConvertedCheckpoint() override;

  const std::vector<std::string>& names() const override { return names_; }
  bool has(std::string_view name) const override;
  TensorView tensor(std::string_view name) const override;
  void release(std::string_view name) const noexcept override;
  std::vector<SourceFile> files() const override;
  std::string where(std::string_view name) const override;
  std::vector<std::string> warnings() const override;

 private:
  class Spill;

  std::shared_ptr<const Checkpoint> base_;
  std::map<std::string, TensorConversion, std::less<>> conversions_;
  std::vector<std::string> names_;
  std::vector<SourceFile> files_;
  mutable std::mutex mutex_;
  std::unique_ptr<Spill> spill_;
};

}  // namespace lathe
