// Theorem 3 with the least admissible constants (docs/construction.md, section 3).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/monitor.hpp"
#include "blocks.hpp"
#include "integer.hpp"
#include "theorem3.hpp"

namespace exactnet::exact {

/// The data in integers: t = (integer) * t_unit and y = y_offset + (integer) * y_unit.
struct IntegerProblem {
    Blocks<Integer> data;
    Rational t_unit;
    Rational y_unit;
    Rational y_offset;
    Integer base;  // C: the constant function G_0, below every block's first target
};

IntegerProblem integer_problem(std::span<const Rational> t, std::span<const Rational> y,
                               std::size_t a2, base::Monitor& monitor);

/// One result per component of the targets.
std::vector<Theorem3> construct_least(std::span<const Rational> t,
                                      std::span<const std::vector<Rational>> components,
                                      std::size_t a2, std::size_t n_threads,
                                      base::Monitor& monitor);

}  // namespace exactnet::exact
