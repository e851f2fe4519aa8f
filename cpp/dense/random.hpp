// The package's own random numbers: the same on every machine and with every compiler.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>

#include "elementary.hpp"

namespace exactnet::dense {

/// SplitMix64 (Steele, Lea and Flood, 2014). Its whole state is one number.
class Generator {
   public:
    explicit Generator(std::uint64_t state) : state_(state) {}

    std::uint64_t state() const noexcept { return state_; }

    std::uint64_t next() noexcept {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }

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

   private:
    std::uint64_t state_;
};

}  // namespace exactnet::dense
