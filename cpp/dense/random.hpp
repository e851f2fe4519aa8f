// Random numbers of the distributions that networks need.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>

#include "base/splitmix64.hpp"
#include "elementary.hpp"

namespace exactnet::dense {

class Generator : public base::SplitMix64 {
   public:
    using SplitMix64::SplitMix64;

    /// Uniform in [0, n), n > 0, without bias: Lemire's multiplication (2019).
    std::uint32_t below(std::uint32_t n) noexcept {
        std::uint64_t product = (next() >> 32) * n;
        if (static_cast<std::uint32_t>(product) < n) {
            const std::uint32_t reject = (0 - n) % n;  // 2^32 mod n
            while (static_cast<std::uint32_t>(product) < reject) product = (next() >> 32) * n;
        }
        return static_cast<std::uint32_t>(product >> 32);
    }

    /// Uniform in [-1, 1), a multiple of 2^-52.
    double symmetric() noexcept {
        return static_cast<double>(static_cast<std::int64_t>(next()) >> 11) * 0x1p-52;
    }

    /// Two independent standard normal numbers (Marsaglia's polar method).
    std::pair<double, double> normal_pair() noexcept {
        for (;;) {
            const double x = symmetric(), y = symmetric();
            const double s = x * x + y * y;
            if (s >= 1 || s == 0) continue;
            const double factor = std::sqrt(-2 * log(s) / s);
            return {x * factor, y * factor};
        }
    }
};

}  // namespace exactnet::dense
