// Random bits: the same on every machine and with every compiler.
#pragma once

#include <cstdint>

namespace exactnet::base {

/// SplitMix64 (Steele, Lea and Flood, 2014). Its whole state is one number.
class SplitMix64 {
   public:
    explicit SplitMix64(std::uint64_t state) : state_(state) {}

    std::uint64_t state() const noexcept { return state_; }

    std::uint64_t next() noexcept {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }

   private:
    std::uint64_t state_;
};

}  // namespace exactnet::base
