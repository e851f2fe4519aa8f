#include <cmath>
#include <cstdint>
#include <limits>

#include "check.hpp"
#include "dense/elementary.hpp"
#include "dense/random.hpp"

namespace dense = exactnet::dense;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int n_cases = 100'000;

/// Units in the last place between a double and what it should be.
double distance(double x, long double expected) {
    const double size = std::abs(static_cast<double>(expected));
    const long double difference = x - expected;
    return static_cast<double>(std::abs(difference) / (std::nextafter(size, infinity) - size));
}

/// Sizes from 2^-most to 2^most.
double any_size(dense::Generator& generator, double most) {
    return std::exp2(most * generator.symmetric());
}

}  // namespace

TEST(exponential) {
    dense::Generator generator(1);
    for (int k = 0; k < n_cases; ++k) {
        const double x = 708 * generator.symmetric() * any_size(generator, 9) / 512;
        CHECK(distance(dense::exp(x), std::exp(static_cast<long double>(x))) < 2);
    }
    CHECK(dense::exp(0) == 1);
    CHECK(dense::exp(710) == infinity);
    CHECK(dense::exp(infinity) == infinity);
    CHECK(std::isfinite(dense::exp(709.7)));
    CHECK(dense::exp(-745) == std::numeric_limits<double>::denorm_min());
    CHECK(dense::exp(-746.5) == 0);
    CHECK(dense::exp(-infinity) == 0);
    CHECK(std::isnan(dense::exp(std::nan(""))));
}

TEST(logarithms) {
    dense::Generator generator(2);
    for (int k = 0; k < n_cases; ++k) {
        const double x = any_size(generator, 1023) * (k % 2 == 0 ? 1 : 0x1p-52);  // also subnormal
        if (x == 0) continue;
        const long double log_x = std::log(static_cast<long double>(x));
        CHECK(std::abs(dense::log(x) - log_x) <= 0x1p-52L * (1 + 2 * std::abs(log_x)));
        const double e = std::exp2(-60 * std::abs(generator.symmetric()));
        CHECK(distance(dense::log1p(e), std::log1p(static_cast<long double>(e))) < 4);
    }
    CHECK(dense::log(1) == 0);
    CHECK(dense::log1p(0) == 0);
}

TEST(powers) {
    dense::Generator generator(3);
    for (int k = 0; k < n_cases; ++k) {
        const double x = any_size(generator, 30), y = 20 * generator.symmetric();
        const long double base = x;
        const double bound = 4 + 4 * std::abs(y) * (1 + std::abs(std::log(x)));
        CHECK(distance(dense::real_power(x, y), std::pow(base, static_cast<long double>(y))) <
              bound);
        const double beta = std::abs(generator.symmetric());
        const std::uint64_t n = generator.below(2000);
        const long double exact =
            std::pow(static_cast<long double>(beta), static_cast<long double>(n));
        if (exact < 1e-300L) continue;
        CHECK(std::abs(dense::power(beta, n) - exact) <= static_cast<double>(n) * 0x1p-53L * exact);
    }
    CHECK(dense::power(0, std::uint64_t{0}) == 1);
    CHECK(dense::power(0.999, ~std::uint64_t{0}) == 0);
}
