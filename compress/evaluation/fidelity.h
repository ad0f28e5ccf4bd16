#pragma once
// How close the outputs of a compressed model are to those of the original.

#include <cstddef>
#include <vector>

#include "compress/facts/measurements.h"

namespace lathe {

/// Cosine per text between two models' outputs for the same texts, and of classifiers how often their labels agree.
FidelityResult fidelity(const std::vector<float>& original, const std::vector<float>& compressed, size_t dimension,
                        bool classifies = false);

/// The cosine of two vectors of `dimension` numbers: 1 where both are zero, 0 where one is.
double cosine(const float* a, const float* b, size_t dimension);

/// The index of the largest of `count` > 0 numbers, of the first one among equals.
size_t largest(const float* values, size_t count);

/// Throws Error{malformed} naming the first text of `outputs`, [texts, dimension], with a number that is not finite.
void check_finite_outputs(const std::vector<float>& outputs, size_t dimension);

}  // namespace lathe
