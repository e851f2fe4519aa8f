// One integer vector w such that t = w . x tells all rows of a table apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/monitor.hpp"
#include "integer.hpp"
#include "table.hpp"

namespace exactnet::exact {

enum class Strategy {
    lexicographic,  ///< mixed radix: certain, but grows with the number of columns
    random,         ///< uniform in [-S, S], S doubled until the values are distinct
    smallest,       ///< many uniform draws, the one with the least range of t
};

/// t(r) = sum over columns c of weights[c] * (numerator(r, c) - offsets[c]) / steps[c]. Offsets are
/// the column minima and steps the gcd of the differences, so the values are integers and small.
struct Projection {
    std::vector<Integer> weights;
    std::vector<Integer> offsets;
    std::vector<Integer> steps;
    std::vector<Integer> values;  // one per row
};

/// The rows must be distinct (see `first_occurrences`). Numerators that are borrowed must lie
/// strictly within +-2^62. The result depends on the data and the seed only.
Projection choose_projection(const Table& points, Strategy strategy, std::uint64_t seed,
                             base::Monitor& monitor);

/// t(r) = sum of weights[c] * entry(r, c), for weights chosen by the caller.
std::vector<Rational> project(const Table& points, std::span<const Integer> weights,
                              base::Monitor& monitor);

/// Two rows with equal values, the lower one first, if there are any.
std::optional<std::pair<std::size_t, std::size_t>> find_collision(std::span<const Rational> values,
                                                                  base::Monitor& monitor);

/// For every row the index of the first row that equals it (its own where there is none before).
std::vector<std::size_t> first_occurrences(const Table& points, base::Monitor& monitor);

}  // namespace exactnet::exact
