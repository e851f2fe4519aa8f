// The points of Theorem 3 cut into blocks of consecutive ones, as both constructions need them
// (docs/construction.md, sections 2 and 4).
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/monitor.hpp"

namespace exactnet::exact {

/// The points in order of t, cut into `blocks` blocks of `depth` consecutive ones, padded on the
/// right. Inside a block they stand in its orientation: ascending in even blocks, descending in odd
/// ones. `Value` is Integer (scale least, in units of its own) or Rational (worst_case).
template <class Value>
struct Blocks {
    std::size_t blocks = 0;
    std::size_t depth = 0;
    std::vector<Value> t;       // [block * depth + index in orientation]
    std::vector<Value> y;       // likewise
    std::vector<Value> breaks;  // blocks + 1; the last one is a boundary, not a neuron

    const Value& t_at(std::size_t i, std::size_t j) const { return t[i * depth + j]; }
    const Value& y_at(std::size_t i, std::size_t j) const { return y[i * depth + j]; }
};

struct Widths {
    std::size_t blocks;
    std::size_t depth;
};

/// As few blocks as a2 allows, because parameters grow with the number of blocks; then no deeper
/// than needed.
inline Widths used_widths(std::size_t n, std::size_t a2) {
    const std::size_t blocks = (n - 1) / a2 + 1;  // no sum that may overflow
    return {blocks, (n - 1) / blocks + 1};
}

template <class Value>
std::vector<std::size_t> sorted_order(const std::vector<Value>& t, base::Monitor& monitor) {
    std::vector<std::size_t> order(t.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    base::sort(order.begin(), order.end(), monitor,
               [&](std::size_t a, std::size_t b) { return t[a] < t[b]; });
    for (std::size_t k = 1; k < order.size(); ++k) {
        if (t[order[k - 1]] == t[order[k]]) {
            throw std::invalid_argument("construct_theorem3: the values of t must differ");
        }
    }
    return order;
}

/// Sorts, pads with virtual points one unit apart (the last target again), cuts and orients.
template <class Value>
Blocks<Value> cut(const std::vector<Value>& t, const std::vector<Value>& y, Widths widths,
                  base::Monitor& monitor) {
    std::vector<Value> ts, ys;
    for (const std::size_t p : sorted_order(t, monitor)) {
        monitor.step(0);
        ts.push_back(t[p]);
        ys.push_back(y[p]);
    }
    while (ts.size() < widths.blocks * widths.depth) {
        ts.push_back(ts.back() + Value(1));
        ys.push_back(Value(ys.back()));
    }
    for (std::size_t i = 1; i < widths.blocks; i += 2) {
        const auto begin = static_cast<std::ptrdiff_t>(i * widths.depth);
        const auto end = begin + static_cast<std::ptrdiff_t>(widths.depth);
        std::reverse(ts.begin() + begin, ts.begin() + end);
        std::reverse(ys.begin() + begin, ys.begin() + end);
    }
    return {widths.blocks, widths.depth, std::move(ts), std::move(ys), {}};
}

/// The least and the greatest t of block i.
template <class Value>
const Value& block_low(const Blocks<Value>& b, std::size_t i) {
    return b.t_at(i, i % 2 == 0 ? 0 : b.depth - 1);
}
template <class Value>
const Value& block_high(const Blocks<Value>& b, std::size_t i) {
    return b.t_at(i, i % 2 == 0 ? b.depth - 1 : 0);
}

}  // namespace exactnet::exact
