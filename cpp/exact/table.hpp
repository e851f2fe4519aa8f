// Data as the exact half sees it: a table of rationals, one denominator per column.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "integer.hpp"

namespace exactnet::exact {

/// rows x cols rationals; entry (r, c) is `numerator(r, c) / denominators[c]`. Numerators are
/// either borrowed 64-bit integers (row-major) or owned integers of any size, never both.
struct Table {
    std::size_t rows = 0;
    std::size_t cols = 0;
    const std::int64_t* small = nullptr;  // borrowed: the caller keeps it alive
    std::vector<Integer> big;             // used when `small` is null
    std::vector<Integer> denominators;    // one per column, positive

    bool is_small() const noexcept { return small != nullptr; }

    Integer numerator(std::size_t r, std::size_t c) const {
        return is_small() ? Integer(static_cast<long>(small[r * cols + c])) : big[r * cols + c];
    }

    /// sum += coefficient * numerator(r, c)
    void add_product(Integer& sum, const Integer& coefficient, std::size_t r, std::size_t c) const {
        if (!is_small()) {
            mpz_addmul(sum.get(), coefficient.get(), big[r * cols + c].get());
            return;
        }
        const std::int64_t value = small[r * cols + c];
        if (value >= 0) {
            mpz_addmul_ui(sum.get(), coefficient.get(), static_cast<unsigned long>(value));
        } else {
            mpz_submul_ui(sum.get(), coefficient.get(), 0UL - static_cast<unsigned long>(value));
        }
    }
};

}  // namespace exactnet::exact
