// The search for a vector w of small integers that tells all rows apart (docs/construction.md, 1).
#pragma once

#include <cstdint>

#include "base/monitor.hpp"
#include "projection.hpp"
#include "table.hpp"

namespace exactnet::exact {

/// Fills in the weights and values of `projection`, whose offsets and steps are set. `widest`: of
/// small numerators, the widest column's range in units of its step.
void search_projection(const Table& points, Strategy strategy, std::uint64_t seed,
                       std::int64_t widest, Projection& projection, base::Monitor& monitor);

}  // namespace exactnet::exact
