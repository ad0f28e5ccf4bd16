#pragma once
// The elements that charts are made of. Horizontal positions are percentages, vertical ones are pixels.

#include <string>

namespace lathe::reporting {

/// A number for an attribute: without commas between thousands.
std::string coordinate(double value, int decimals);
/// A share of the width, which is clamped to [0, 1], as a percentage.
std::string percent(double fraction);
std::string pixels(double value);

/// Opens the element, which the caller closes. Screen readers say `title`.
std::string open_svg(const std::string& title, double height);
std::string text_at(const std::string& x, double y, const char* classes, const std::string& text);
/// `title` is shown when the mouse points at the rectangle.
std::string rect_at(const std::string& x, double y, const std::string& width, double height, const std::string& classes,
                    const std::string& title = {});
std::string line_at(const std::string& x1, double y1, const std::string& x2, double y2, const char* classes);
std::string circle_at(const std::string& x, double y, double radius, const char* classes);

}  // namespace lathe::reporting
