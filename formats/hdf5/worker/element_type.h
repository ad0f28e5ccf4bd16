#pragma once
// How the elements of a dataset are stored, and how they leave the worker.

#include <string>

#include "formats/artifact/tensor.h"
#include "formats/hdf5/worker/handle.h"

namespace lathe::hdf5 {

/// What becomes of a dataset, by the type of its elements.
struct ElementType {
  DType dtype = DType::f32;
  Handle memory;        // the type to ask the library for, which swaps bytes where the file has them the other way
  std::string ignored;  // what it is instead of a number, where that is no reason to refuse the file
};

/// `what` names the dataset in messages. Texts and records are ignored; any other type that is no plain number is an
/// Error{unsupported} that names it.
ElementType element_type(hid_t dataset, const std::string& what);

}  // namespace lathe::hdf5
