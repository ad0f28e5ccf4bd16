#pragma once
// The cards at the head of the page: what was gained and what it cost, in a few large figures.

#include <string>

#include "compress/facts/report_facts.h"

namespace lathe::reporting {

/// Size, speed, accuracy and memory of each model beside the first one; of a single model its own figures.
std::string html_cards(const Report& report);

}  // namespace lathe::reporting
