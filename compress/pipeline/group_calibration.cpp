#include "compress/pipeline/group_calibration.h"

namespace lathe {

GroupCalibration::GroupCalibration(const Samples& samples, const SourceModel& source, const TensorStore& compressed,
                                   size_t threads, Device device)
    : source_(source),
      calibration_(
          samples.parts(), [&source](const std::string& name) { return source.weight(name); },
          [&source, &compressed](const std::string& name) {
            return compressed.contains(name) ? compressed.at(name) : source.weight(name);
          },
          threads, executor_maker(device), moment_sum_maker(device)) {}

InputStatistics GroupCalibration::collect(const Program& compressed, size_t op, const std::function<void()>& between) {
  for (const size_t restored : restored_) {
    calibration_.skip(source_.program, compressed, restored);
    between();
  }
  restored_.clear();
  return calibration_.collect(source_.program, compressed, op);
}

void release_pages(const SourceModel& source, const TensorStore& finished) {
  for (const std::string& name : source.program.weights) source.release(name);
  finished.release();
}

}  // namespace lathe
