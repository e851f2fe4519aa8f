// Does a network reproduce a table of targets exactly? Knows nothing of how it was made.
#pragma once

#include <cstddef>
#include <optional>

#include "base/monitor.hpp"
#include "integer.hpp"
#include "network.hpp"
#include "table.hpp"

namespace exactnet::exact {

struct Report {
    std::size_t n_points = 0;
    std::size_t n_wrong = 0;                 ///< points with any output off its target
    std::optional<std::size_t> first_wrong;  ///< the lowest such row
    Rational max_error;                      ///< largest |output - target| of all
};

/// `targets` has a row for every point and a column for every output.
Report verify(const Network& network, const Table& points, const Table& targets,
              std::size_t n_threads, base::Monitor& monitor);

}  // namespace exactnet::exact
