#include <catch2/catch.hpp>

#include "formats/artifact/half.h"
#include "tests/runtime/cpu/kernels/kernel_fixtures.h"

namespace lathe::kernels {
namespace {

/// q, k and v of one head, side by side in rows that hold more than that.
struct Case {
  size_t length, width, stride;
  float scale;
  std::vector<float> rows;

  const float* q() const { return rows.data() + 1; }
  const float* k() const { return rows.data() + 1 + width; }
  const float* v() const { return rows.data() + 1 + 2 * width; }
};

Case make_case(size_t length, size_t width, float scale) {
  Random random(static_cast<unsigned>(length * 17 + width));
  const size_t stride = 3 * width + 7;
  return {length, width, stride, scale, uniform_floats(random, length * stride)};
}

/// The largest error in units of what the rounding of scores and sums may cost (|v| <= 1).
double worst_error(const Case& c, size_t first, size_t queries, const GuardedMatrix& y) {
  double worst = 0.0;
  std::vector<double> weights(c.length);
  for (size_t r = 0; r < queries; ++r) {
    const float* q = c.q() + (first + r) * c.stride;
    double largest = -1e300;
    double magnitude = 0.0;
    for (size_t s = 0; s < c.length; ++s) {
      double score = 0.0;
      for (size_t i = 0; i < c.width; ++i) score += static_cast<double>(q[i]) * c.k()[s * c.stride + i];
      weights[s] = score * c.scale;
      largest = std::max(largest, weights[s]);
      magnitude = std::max(magnitude, std::abs(weights[s]));
    }
    double sum = 0.0;
    for (double& w : weights) sum += w = std::exp(w - largest);
    const double terms = std::sqrt(static_cast<double>(c.width)) + std::sqrt(static_cast<double>(c.length));
    const double bound = 1.2e-7 * (4.0 + terms * (1.0 + magnitude));
    for (size_t i = 0; i < c.width; ++i) {
      double exact = 0.0;
      for (size_t s = 0; s < c.length; ++s) exact += weights[s] / sum * c.v()[s * c.stride + i];
      const double error = std::abs(y.at(r, i) - exact) / bound;
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

void run(const RowKernels& kernel, const Case& c, size_t first, size_t queries, GuardedMatrix& y) {
  GuardedBuffer scratch(kernel.attention_scratch_bytes(c.length, c.width));
  std::memset(scratch.data(), 0xFF, kernel.attention_scratch_bytes(c.length, c.width));  // NaN
  kernel.attention({c.q(), c.k(), c.v(), c.stride, c.stride, c.stride, c.length, c.width, first, queries, c.scale,
                    y.data(), y.stride(), scratch.data()});
  CHECK(scratch.intact());
}

}  // namespace

TEST_CASE("attention agrees with double precision", "[runtime][kernels]") {
  for (const auto* kernel : runnable(row_kernels())) {
    for (const size_t length : {1, 2, 7, 12, 16, 17, 33, 65, 128}) {
      for (const size_t width : {1, 8, 20, 32, 64, 80, 256}) {
        INFO(kernel->name << ": length " << length << ", width " << width);
        const Case c = make_case(length, width, 1.0F / std::sqrt(static_cast<float>(width)));
        GuardedMatrix y(length, width, 3);
        run(*kernel, c, 0, length, y);
        CHECK(worst_error(c, 0, length, y) <= 1.0);
        CHECK(y.intact());
      }
    }
  }
}

TEST_CASE("attention takes long sequences and large scores", "[runtime][kernels]") {
  for (const auto* kernel : runnable(row_kernels())) {
    INFO(kernel->name);
    const Case longest = make_case(4099, 32, 0.2F);
    GuardedMatrix y(5, 32, 0);
    run(*kernel, longest, 4094, 5, y);
    CHECK(worst_error(longest, 4094, 5, y) <= 1.0);
    const Case steep = make_case(40, 32, 100.0F);  // scores of hundreds: most weights vanish
    GuardedMatrix z(40, 32, 0);
    run(*kernel, steep, 0, 40, z);
    CHECK(worst_error(steep, 0, 40, z) <= 1.0);
  }
}

TEST_CASE("causal attention sees the keys up to its own position, within its window", "[runtime][kernels]") {
  for (const auto* kernel : runnable(row_kernels())) {
    for (const size_t length : {1, 2, 5, 16, 31, 70, 130}) {
      for (const size_t window : {0, 1, 3, 20, 40, 500}) {
        INFO(kernel->name << ": length " << length << ", window " << window);
        const Case c = make_case(length, 24, 0.4F);
        GuardedBuffer scratch(kernel->attention_scratch_bytes(length, c.width));
        std::memset(scratch.data(), 0xFF, kernel->attention_scratch_bytes(length, c.width));  // NaN
        GuardedMatrix y(length, c.width, 2);
        AttentionArgs args{c.q(),  c.k(),   c.v(),    c.stride,   c.stride,       c.stride, length, c.width, 0,
                           length, c.scale, y.data(), y.stride(), scratch.data(), true,     0,      window};
        kernel->attention(args);
        CHECK(scratch.intact());
        CHECK(y.intact());
        double worst = 0.0;
        for (size_t r = 0; r < length; ++r) {  // the same over just the keys that it sees
          const size_t begin = window == 0 || r < window ? 0 : r - window + 1;
          Case part = c;
          part.length = r + 1 - begin;
          part.rows.erase(part.rows.begin(), part.rows.begin() + static_cast<std::ptrdiff_t>(begin * c.stride));
          GuardedMatrix one(1, c.width, 0);
          std::copy_n(y.data() + r * y.stride(), c.width, one.data());
          worst = std::max(worst, worst_error(part, r - begin, 1, one));
        }
        CHECK(worst <= 1.0);
      }
    }
  }
}

TEST_CASE("a few queries of a sequence see what they see among all of them", "[runtime][kernels]") {
  const Case c = make_case(50, 16, 0.5F);
  for (const auto* kernel : runnable(row_kernels())) {
    INFO(kernel->name);
    GuardedBuffer scratch(kernel->attention_scratch_bytes(50, 16));
    GuardedMatrix all(50, 16, 0), few(3, 16, 0);
    const auto attend = [&](size_t first, GuardedMatrix& y, size_t queries) {
      kernel->attention({c.q() + first * c.stride, c.k(), c.v(), c.stride, c.stride, c.stride, 50, 16, 0, queries,
                         c.scale, y.data(), y.stride(), scratch.data(), true, first, 8});
    };
    attend(0, all, 50);
    attend(33, few, 3);
    for (size_t r = 0; r < 3; ++r) {
      for (size_t i = 0; i < 16; ++i) CHECK(few.at(r, i) == Approx(all.at(33 + r, i)).margin(1e-6));
    }
    CHECK(scratch.intact());
    CHECK(few.intact());
  }
}

TEST_CASE("attention over a cache agrees with attention over its rounded keys and values", "[runtime][kernels]") {
  for (const auto* kernel : runnable(row_kernels())) {
    for (const size_t length : {1, 15, 16, 17, 100}) {
      for (const auto& [width, heads] : {std::pair<size_t, size_t>{64, 3}, {8, 1}, {20, 5}, {128, 8}}) {
        for (const size_t first : {size_t{0}, length / 2}) {
          for (const bool bytes : {false, true}) {
            INFO(kernel->name << ": length " << length << " from " << first << ", width " << width << ", heads "
                              << heads << (bytes ? ", int8" : ", f16"));
            Case c = make_case(length, width, 0.4F);
            const size_t blocks = (length + kCacheBlock - 1) / kCacheBlock;
            const size_t stride = padded_to(width, kCacheBlock);
            std::vector<uint16_t> keys(blocks * kCacheBlock * width, 0x7E00), values(length * stride, 0x7E00);  // NaN
            std::vector<int8_t> key_bytes(keys.size(), 77), value_bytes(values.size(), 77);
            std::vector<float> key_scales(blocks * kCacheBlock, NAN), value_scales(blocks * kCacheBlock, NAN);
            for (size_t s = 0; s < length; ++s) {
              key_scales[s] = 0.01F + 0.0001F * static_cast<float>(s);
              value_scales[s] = 0.02F;
              for (size_t i = 0; i < width; ++i) {
                float& k = c.rows[1 + width + s * c.stride + i];
                float& v = c.rows[1 + 2 * width + s * c.stride + i];
                const size_t at = s / kCacheBlock * kCacheBlock * width + i * kCacheBlock + s % kCacheBlock;
                keys[at] = f32_to_f16(k);
                values[s * stride + i] = f32_to_f16(v);
                key_bytes[at] = static_cast<int8_t>(std::lround(k / key_scales[s]));
                value_bytes[s * stride + i] = static_cast<int8_t>(std::lround(v / value_scales[s] / 1.1F));
                k = bytes ? static_cast<float>(key_bytes[at]) * key_scales[s] : f16_to_f32(keys[at]);
                v = bytes ? static_cast<float>(value_bytes[s * stride + i]) * value_scales[s]
                          : f16_to_f32(values[s * stride + i]);
              }
            }
            std::vector<float> q(heads * width);
            for (size_t h = 0; h < heads; ++h) std::copy_n(c.q() + h % length * c.stride, width, &q[h * width]);
            GuardedMatrix y(heads, width, 0);
            GuardedBuffer scratch(kernel->attention_cached_scratch_bytes(length, width));
            CachedAttentionArgs args{q.data(), heads, width,  keys.data(), values.data(), stride,        nullptr,
                                     nullptr,  first, length, c.scale,     y.data(),      scratch.data()};
            if (bytes) {
              args.keys = key_bytes.data();
              args.values = value_bytes.data();
              args.key_scales = key_scales.data();
              args.value_scales = value_scales.data();
            }
            kernel->attention_cached(args);
            CHECK(scratch.intact());
            CHECK(y.intact());
            double worst = 0.0;
            for (size_t h = 0; h < heads; ++h) {  // against double precision, over the keys that are seen
              Case seen = c;
              seen.length = length - first;
              seen.rows.erase(seen.rows.begin(), seen.rows.begin() + static_cast<std::ptrdiff_t>(first * c.stride));
              std::copy_n(&q[h * width], width, seen.rows.data() + 1);
              GuardedMatrix one(1, width, 0);
              std::copy_n(y.data() + h * y.stride(), width, one.data());
              worst = std::max(worst, worst_error(seen, 0, 1, one));
            }
            CHECK(worst <= 3.0);  // values reach 1.3, and scales are multiplied in after the sums
          }
        }
      }
    }
  }
}

TEST_CASE("a query's attention does not depend on the queries computed with it", "[runtime][kernels]") {
  const Case c = make_case(77, 40, 0.3F);
  for (const auto* kernel : runnable(row_kernels())) {
    INFO(kernel->name);
    GuardedMatrix all(77, 40, 0);
    run(*kernel, c, 0, 77, all);
    for (const size_t first : {0, 1, 30, 76}) {
      GuardedMatrix one(1, 40, 0);
      run(*kernel, c, first, 1, one);
      CHECK(std::memcmp(one.data(), all.data() + first * all.stride(), 40 * sizeof(float)) == 0);
    }
  }
}

}  // namespace lathe::kernels
