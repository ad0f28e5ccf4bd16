#include "compress/report/charts/svg.h"

#include <algorithm>

#include "compress/facts/number_text.h"
#include "compress/report/visible_text.h"
#include "formats/artifact/error.h"

namespace lathe::reporting {

std::string coordinate(double value, int decimals) {
  std::string text = fixed_text(value, decimals);
  std::erase(text, ',');
  return text;
}

std::string percent(double fraction) { return coordinate(std::clamp(fraction, 0.0, 1.0) * 100, 2) + "%"; }
std::string pixels(double value) { return coordinate(value, 1); }

std::string open_svg(const std::string& title, double height) {
  return message("<svg class=\"chart\" role=\"img\" width=\"100%\" height=\"", pixels(height), "\" aria-label=\"",
                 html_text(title), "\"><title>", html_text(title), "</title>");
}

std::string text_at(const std::string& x, double y, const char* classes, const std::string& text) {
  return message("<text x=\"", x, "\" y=\"", pixels(y), "\" class=\"", classes, "\">", html_text(text), "</text>");
}

std::string rect_at(const std::string& x, double y, const std::string& width, double height, const std::string& classes,
                    const std::string& title) {
  const std::string start = message("<rect x=\"", x, "\" y=\"", pixels(y), "\" width=\"", width, "\" height=\"",
                                    pixels(height), "\" class=\"", classes, "\"");
  return title.empty() ? start + "/>" : start + "><title>" + html_text(title) + "</title></rect>";
}

std::string line_at(const std::string& x1, double y1, const std::string& x2, double y2, const char* classes) {
  return message("<line x1=\"", x1, "\" y1=\"", pixels(y1), "\" x2=\"", x2, "\" y2=\"", pixels(y2), "\" class=\"",
                 classes, "\"/>");
}

std::string circle_at(const std::string& x, double y, double radius, const char* classes) {
  return message("<circle cx=\"", x, "\" cy=\"", pixels(y), "\" r=\"", pixels(radius), "\" class=\"", classes, "\"/>");
}

}  // namespace lathe::reporting
