// Elementary functions of doubles whose every rounding is written out: the same bits on every
// machine, where those of C libraries differ in the last one. Of the C library they need only
// frexp, ldexp and sqrt, which are exact or correctly rounded; of the compiler, no contraction.
#pragma once

#include <cstdint>

namespace exactnet::dense {

/// x^n by squaring: the relative error is at most n 2^-53.
double power(double x, std::uint64_t n) noexcept;

/// x^y for a positive finite x: within 4 + 4 |y| (1 + |log x|) units in the last place of normal
/// results.
double real_power(double x, double y) noexcept;

/// e^x within 2 units in the last place of normal results; infinity and 0 beyond the type's range.
double exp(double x) noexcept;

/// Natural logarithm of a positive finite number, with an error of at most 2^-52 (1 + 2 |log x|).
double log(double x) noexcept;

/// log(1 + x) for x in [0, 1], within 4 units in the last place.
double log1p(double x) noexcept;

}  // namespace exactnet::dense
