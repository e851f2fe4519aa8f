// Theorem 3 with the constants of the article's proof (docs/construction.md, end of section 3).
#pragma once

#include <cstddef>
#include <span>

#include "base/monitor.hpp"
#include "integer.hpp"
#include "theorem3.hpp"

namespace exactnet::exact {

Theorem3 construct_worst_case(std::span<const Rational> t, std::span<const Rational> y,
                              std::size_t a2, base::Monitor& monitor);

}  // namespace exactnet::exact
