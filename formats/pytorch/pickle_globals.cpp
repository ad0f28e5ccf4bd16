#include "formats/pytorch/pickle_globals.h"

#include <algorithm>
#include <array>

#include "formats/text.h"

namespace lathe {
namespace {

using enum GlobalRole;

// Python 2 called the module builtins __builtin__, and pickles of protocol 2 still do.
constexpr std::array kGlobals = {
    PickleGlobal{"collections", "OrderedDict", ordered_dict, nullptr, 0, 1},
    PickleGlobal{"collections", "Counter", opaque_call, nullptr, 0, 1},
    PickleGlobal{"_codecs", "encode", opaque_call, nullptr, 2, 2},
    PickleGlobal{"builtins", "bytearray", opaque_call, nullptr, 0, 2},
    PickleGlobal{"builtins", "complex", opaque_call, nullptr, 2, 2},
    PickleGlobal{"builtins", "set", opaque_call, nullptr, 0, 1},
    PickleGlobal{"__builtin__", "bytearray", opaque_call, nullptr, 0, 2},
    PickleGlobal{"__builtin__", "complex", opaque_call, nullptr, 2, 2},
    PickleGlobal{"__builtin__", "set", opaque_call, nullptr, 0, 1},
    PickleGlobal{"torch", "Size", first_argument, nullptr, 1, 1},
    PickleGlobal{"torch", "device", opaque_call, nullptr, 1, 2},
    PickleGlobal{"torch.serialization", "_get_layout", opaque_call, nullptr, 1, 1},
    PickleGlobal{"torch._utils", "_rebuild_tensor", tensor, nullptr, 4, 4},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v2", tensor_v2, nullptr, 6, 7},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v3", tensor_v3, nullptr, 7, 8},
    PickleGlobal{"torch._utils", "_rebuild_parameter", first_argument, nullptr, 3, 3},
    PickleGlobal{"torch._utils", "_rebuild_parameter_with_state", first_argument, nullptr, 4, 4},
    PickleGlobal{"torch._tensor", "_rebuild_from_type_v2", tensor_from_type, nullptr, 4, 4},
    PickleGlobal{"torch._utils", "_rebuild_qtensor", tensor_other_layout, nullptr, 6, 7},
    PickleGlobal{"torch._utils", "_rebuild_sparse_tensor", tensor_other_layout, nullptr, 2, 2},
    PickleGlobal{"torch._utils", "_rebuild_meta_tensor_no_storage", tensor_other_layout, nullptr, 4, 4},
    PickleGlobal{"torch._utils", "_rebuild_wrapper_subclass", tensor_other_layout, nullptr, 7, 10},
    PickleGlobal{"torch._utils", "_rebuild_device_tensor_from_numpy", tensor_other_layout, nullptr, 4, 4},
    PickleGlobal{"torch._utils", "_rebuild_device_tensor_from_cpu_tensor", tensor_other_layout, nullptr, 4, 4},
    PickleGlobal{"torch.storage", "UntypedStorage", untyped_storage, nullptr, 0, 0},
    PickleGlobal{"torch.storage", "TypedStorage", opaque_class, nullptr, 0, 0},
    PickleGlobal{"torch", "Tensor", opaque_class, nullptr, 0, 0},
    PickleGlobal{"torch.nn.parameter", "Parameter", opaque_class, nullptr, 0, 0},
    PickleGlobal{"torch", "per_tensor_affine", opaque_class, nullptr, 0, 0},
    PickleGlobal{"torch", "per_channel_affine", opaque_class, nullptr, 0, 0},
    PickleGlobal{"torch", "per_channel_affine_float_qparams", opaque_class, nullptr, 0, 0},
    PickleGlobal{"torch", "per_tensor_symmetric", opaque_class, nullptr, 0, 0},
    PickleGlobal{"torch", "per_channel_symmetric", opaque_class, nullptr, 0, 0},
    PickleGlobal{"torch.jit._pickle", "build_intlist", first_argument, nullptr, 1, 1},
    PickleGlobal{"torch.jit._pickle", "build_doublelist", first_argument, nullptr, 1, 1},
    PickleGlobal{"torch.jit._pickle", "build_boollist", first_argument, nullptr, 1, 1},
    PickleGlobal{"torch.jit._pickle", "build_tensorlist", first_argument, nullptr, 1, 1},
    PickleGlobal{"torch.jit._pickle", "restore_type_tag", first_argument, nullptr, 2, 2},
};

// Classes of tensors that old code names; none of them is ever made.
constexpr std::array<std::string_view, 4> kTensorModules = {"torch", "torch.cuda", "torch.sparse", "torch.cuda.sparse"};
constexpr std::array<std::string_view, 10> kTensorClasses = {
    "FloatTensor", "DoubleTensor", "HalfTensor", "BFloat16Tensor", "ByteTensor",
    "CharTensor",  "ShortTensor",  "IntTensor",  "LongTensor",     "BoolTensor"};

struct Advice {
  std::string_view module;  // and those inside it
  const char* text;
};
constexpr std::array<Advice, 5> kAdvice = {
    {{"torch.nn", "this is a pickled nn.Module, which is code: save its state_dict() instead"},
     {"__main__",
      "this is an object of somebody's own class, such as a pickled nn.Module: save its state_dict() instead"},
     {"numpy", "make tensors or plain numbers of NumPy's objects before saving, or save the state_dict() alone"},
     {"torch.distributed", "gather the tensors before saving: parts of a distributed model are not read"},
     {"torchao", "this model is quantized already: save it before it is quantized"}}};
constexpr const char* kGeneralAdvice =
    "it is none of the classes and functions of a state dict, and no code of a pickle is ever run: save the "
    "state_dict() alone";

bool is_inside(std::string_view module, std::string_view outer) {
  return module.starts_with(outer) && (module.size() == outer.size() || module[outer.size()] == '.');
}

bool is_tensor_class(std::string_view module, std::string_view name) {
  return std::find(kTensorModules.begin(), kTensorModules.end(), module) != kTensorModules.end() &&
         std::find(kTensorClasses.begin(), kTensorClasses.end(), name) != kTensorClasses.end();
}

}  // namespace

bool is_callable(GlobalRole role) noexcept {
  constexpr std::array kCallable = {ordered_dict, opaque_call, first_argument,   tensor,
                                    tensor_v2,    tensor_v3,   tensor_from_type, tensor_other_layout};
  return std::find(kCallable.begin(), kCallable.end(), role) != kCallable.end();
}

PickleGlobal find_pickle_global(std::string_view module, std::string_view name, std::string_view where) {
  const auto* row = std::find_if(kGlobals.begin(), kGlobals.end(), [&](const PickleGlobal& global) {
    return global.module == module && global.name == name;
  });
  if (row != kGlobals.end()) return *row;
  if (module == "torch" || module == "torch.cuda") {
    if (const TorchType* type = find_torch_storage(name)) return {module, name, storage, type};
  }
  if (module == "torch") {
    if (const TorchType* type = find_torch_type(name)) return {module, name, dtype, type};
  }
  if (is_tensor_class(module, name)) return {module, name, opaque_class};
  if (is_inside(module, "__torch__")) return {module, name, script_class};
  const auto* advice =
      std::find_if(kAdvice.begin(), kAdvice.end(), [&](const Advice& a) { return is_inside(module, a.module); });
  fail(Errc::unsupported, message(where, ": the pickle names ", printable(module), ".", printable(name), ": ",
                                  advice == kAdvice.end() ? kGeneralAdvice : advice->text));
}

}  // namespace lathe
