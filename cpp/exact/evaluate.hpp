// Exact evaluation of any network of rational parameters at any rational points.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "base/monitor.hpp"
#include "integer.hpp"
#include "network.hpp"
#include "table.hpp"

namespace exactnet::exact {

/// numerator / denominator, denominator > 0, not necessarily in lowest terms.
struct Quotient {
    Integer numerator;
    Integer denominator;
};

/// Receives the exact outputs at one row of the table. Called once for every row, in no particular
/// order, and from several threads at a time when there are several.
using OutputVisitor = std::function<void(std::size_t row, std::span<const Quotient> outputs)>;

/// What is evaluated how does not show in the result; tests compare the ways.
enum class Way {
    best,     ///< what is expected to be the fastest
    line,     ///< along the common direction of the first layer if there is one, else as floats
    floats,   ///< in float64 where that is proven exact, else as words
    words,    ///< in words of a fixed width where a few suffice, else as numbers
    numbers,  ///< in numbers of any length
};

/// Throws std::invalid_argument unless the layers fit each other and the table.
void evaluate(const Network& network, const Table& points, std::size_t n_threads,
              base::Monitor& monitor, const OutputVisitor& visit, Way way = Way::best);

/// All outputs, row-major (rows, outputs).
std::vector<Rational> predict(const Network& network, const Table& points, std::size_t n_threads,
                              base::Monitor& monitor, Way way = Way::best);

}  // namespace exactnet::exact
