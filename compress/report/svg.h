#pragma once
// The pieces that charts are made of. Positions across are percentages, those down are pixels.

#include <string>

namespace lathe::reporting {

/// No commas between thousands, unlike the figures for readers.
std::string coordinate(double value, int decimals);
/// A share of the width, cut to [0, 1].
std::string percent(double fraction);
std::string pixels(double value);

/// `title` is what a reader who cannot see the chart is told; the element is left open.
std::string open_svg(const std::string& title, double height);
std::string text_at(const std::string& x, double y, const char* classes, const std::string& text);
/// A title is shown when pointed at.
std::string rect_at(const std::string& x, double y, const std::string& width, double height, const std::string& classes,
                    const std::string& title = {});
std::string line_at(const std::string& x1, double y1, const std::string& x2, double y2, const char* classes);
std::string circle_at(const std::string& x, double y, double radius, const char* classes);

}  // namespace lathe::reporting
