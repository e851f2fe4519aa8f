// Samples as a caller has them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "poll.hpp"

namespace exactnet::dense {

/// X (n, inputs), borrowed: row-major, of numbers or bytes; or in compressed sparse rows, without
/// numbers that are 0.
template <class T>
struct Matrix {
    const T* values = nullptr;
    std::size_t n = 0;
    std::size_t inputs = 0;
    const std::int64_t* starts = nullptr;   ///< of a sparse one: of the rows' values, and the end
    const std::int32_t* columns = nullptr;  ///< of the values, ascending in every row
    const std::uint8_t* bytes = nullptr;    ///< in place of values, row-major

    bool sparse() const noexcept { return starts != nullptr; }

    /// Where a row begins among the values or bytes; that of row n is the end.
    std::size_t first(std::size_t row) const noexcept {
        return sparse() ? static_cast<std::size_t>(starts[row]) : row * inputs;
    }

    /// The number at a place among them.
    T value(std::size_t at) const noexcept { return bytes != nullptr ? T(bytes[at]) : values[at]; }

    /// Rows begin ... begin + m - 1, row-major: as they stand, or written into `space`.
    const T* rows(std::size_t begin, std::size_t m, std::vector<T>& space) const {
        if (bytes != nullptr) {
            space.resize(m * inputs);
            std::copy_n(bytes + begin * inputs, m * inputs, space.data());
            return space.data();
        }
        if (!sparse()) return values + begin * inputs;
        space.assign(m * inputs, T(0));
        for (std::size_t r = 0; r < m; ++r) {
            T* const row = space.data() + r * inputs;
            each(begin + r, [=](std::size_t column, T value) { row[column] = value; });
        }
        return space.data();
    }

    /// Calls function(column, value) for all that a sparse row holds.
    template <class Function>
    void each(std::size_t row, const Function& function) const {
        for (std::int64_t e = starts[row]; e < starts[row + 1]; ++e) {
            function(static_cast<std::size_t>(columns[e]), values[e]);
        }
    }
};

/// Whether n numbers are all finite.
template <class T>
bool all_finite(const T* x, std::size_t n) noexcept;

/// The same of very many numbers.
template <class T>
bool all_finite(const T* x, std::size_t n, Poll poll);

}  // namespace exactnet::dense
