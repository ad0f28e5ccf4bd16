#include "cli/terminal/training_text.h"

#include <catch2/catch.hpp>
#include <limits>

namespace lathe::cli {
namespace {

using Catch::Matchers::Contains;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TrainingEvent event() {
  TrainingEvent e;
  e.stage = "distillation";
  e.step = 120;
  e.steps = 300;
  e.train_loss = 0.04123;
  e.held_out_loss = 0.0431;
  e.measure_name = "cosine";
  e.measure = 0.95118;
  e.tokens_per_second = 2310.4;
  e.seconds_left = 365;
  e.checked = true;
  return e;
}

}  // namespace

TEST_CASE("a check of training is one sentence", "[cli][training_text]") {
  CHECK(training_sentence(event()) ==
        "distillation: step 120/300, loss 0.04123, held-out loss 0.04310, cosine 0.9512, 2,310 tokens/s, "
        "6 min 05 s left");
}

TEST_CASE("what is not known of training is left out", "[cli][training_text]") {
  TrainingEvent bare;
  bare.stage = "distillation";
  bare.step = 1200;
  bare.train_loss = bare.held_out_loss = bare.measure = bare.tokens_per_second = bare.seconds_left = kNan;
  bare.measure_name = "cosine";
  CHECK(training_sentence(bare) == "distillation: step 1,200");
  TrainingEvent last = event();
  last.seconds_left = 0;
  CHECK_THAT(training_sentence(last), !Contains("left"));
}

TEST_CASE("the line of training fits the terminal and leaves out what matters least", "[cli][training_text]") {
  const std::string wide = training_bar(event(), 0.4, 140, false);
  CHECK(wide ==
        "distillation [######          ] step 120/300  loss 0.04123  held-out loss 0.04310  cosine 0.9512  "
        "2,310 tokens/s  6 min 05 s left");
  const std::string usual = training_bar(event(), 0.4, 79, false);
  CHECK(usual == "distillation [######          ] step 120/300  loss 0.04123  6 min 05 s left");
  CHECK(training_bar(event(), 0.4, 95, false) ==
        "distillation [######          ] step 120/300  loss 0.04123  cosine 0.9512  6 min 05 s left");
  for (size_t width = 1; width < 140; ++width) CHECK(training_bar(event(), 0.4, width, false).size() <= width);
}

TEST_CASE("a bar is filled by the share that is done, whatever it is given", "[cli][training_text]") {
  CHECK(bar_text(0, 4, false) == "[    ]");
  CHECK(bar_text(0.5, 4, false) == "[##  ]");
  CHECK(bar_text(7, 4, false) == "[####]");
  CHECK(bar_text(-1, 4, false) == "[    ]");
  CHECK(bar_text(kNan, 4, false) == "[    ]");
  CHECK(bar_text(0.5, 4, true) == "\x1b[36m##--\x1b[0m");
}

}  // namespace lathe::cli
