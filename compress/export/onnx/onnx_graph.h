#pragma once
// A graph of ONNX while it is put together.

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "formats/onnx/onnx_writer.h"

namespace lathe {

/// Adds nodes in the order in which they run. Names are handed out here, so that no two are alike.
class OnnxGraph {
 public:
  /// Adds an input of the graph, whose name is taken by no other.
  void input(const OnnxValue& value);
  /// Adds an output of the graph, whose name is taken by no other, and later the value whose elements it has.
  void declare_output(const OnnxValue& value);
  void set_output(const std::string& output, const std::string& value);

  /// Adds an operator with one output and returns the output's name: `wanted`, or that with a number behind it.
  std::string node(const std::string& op, std::vector<std::string> inputs, const std::string& wanted,
                   std::vector<std::pair<std::string, OnnxAttribute>> attributes = {});

  /// Adds a constant under its name, or that with a number behind it, and returns the name.
  std::string tensor(OnnxTensor tensor);
  // Small constants, each added once however often it is asked for.
  std::string number(float value);
  std::string integers(const std::vector<int64_t>& values);
  std::string integer(int64_t value);

  /// Hands over what was added. The graph is not used after that.
  OnnxModel take() { return std::move(model_); }

 private:
  void claim(const std::string& name);
  std::string unique(const std::string& wanted);
  std::string shared(const std::string& key, OnnxTensor tensor);

  OnnxModel model_;
  std::set<std::string> names_;
  std::map<std::string, std::string> shared_;  // what a small constant says -> its name
};

}  // namespace lathe
