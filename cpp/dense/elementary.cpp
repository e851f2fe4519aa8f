#include "elementary.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>

// Functions of a source file of their own, not inline: an inline one that a kernel uses would be
// compiled with that kernel's instruction set, and the linker might keep that one for all.

namespace exactnet::dense {
namespace {

/// 1, 1/3, 1/5, ...
constexpr auto odd_inverses = [] {
    std::array<double, 11> all{};
    for (std::size_t k = 0; k < all.size(); ++k) all[k] = 1.0 / static_cast<double>(2 * k + 1);
    return all;
}();

/// 1, 1/2!, 1/3!, ...
constexpr auto inverse_factorials = [] {
    std::array<double, 14> all{};
    double factorial = 1;
    for (std::size_t k = 0; k < all.size(); ++k) {
        if (k > 0) factorial *= static_cast<double>(k);
        all[k] = 1 / factorial;
    }
    return all;
}();

template <std::size_t n>
inline double polynomial(const std::array<double, n>& coefficients, double x) noexcept {
    double sum = 0;
    for (std::size_t k = n; k-- > 0;) sum = sum * x + coefficients[k];
    return sum;
}

/// 2 atanh(u) for |u| < 0.172, by its series.
double twice_atanh(double u) noexcept { return 2 * u * polynomial(odd_inverses, u * u); }

}  // namespace

double power(double x, std::uint64_t n) noexcept {
    double result = 1;
    for (; n != 0; n /= 2, x *= x) {
        if (n % 2 != 0) result *= x;
    }
    return result;
}

double log(double x) noexcept {
    int exponent = 0;
    double m = std::frexp(x, &exponent);  // in [1/2, 1)
    if (m < std::numbers::sqrt2 / 2) {
        m *= 2;
        --exponent;
    }
    return twice_atanh((m - 1) / (m + 1)) + exponent * std::numbers::ln2;
}

double log1p(double x) noexcept {
    if (x < std::numbers::sqrt2 - 1) return twice_atanh(x / (2 + x));
    return twice_atanh((x - 1) / (x + 3)) + std::numbers::ln2;  // log((1 + x) / 2) + log(2)
}

double exp(double x) noexcept {
    if (!(x < 710)) return x >= 710 ? std::numeric_limits<double>::infinity() : x;
    if (x < -746) return 0;
    constexpr double shift = 0x1.8p52;  // adding it rounds to an integer
    const double n = (x * std::numbers::log2e + shift) - shift;
    // log(2) in two parts, the first with trailing zeros so that its product with n is exact
    const double r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
    const double result = polynomial(inverse_factorials, r);
    if (n < -1021 || n > 1023) return std::ldexp(result, static_cast<int>(n));
    return result * std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52);
}

double real_power(double x, double y) noexcept { return exp(y * log(x)); }

}  // namespace exactnet::dense
