#include "projection.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "base/splitmix64.hpp"
#include "projection_search.hpp"

namespace exactnet::exact {
namespace {

/// The minimum of every column and the gcd of the distances from it, 0 for a constant one. Returns
/// the widest column's range in units of its step.
std::int64_t small_columns(const Table& points, Projection& projection, base::Monitor& monitor) {
    const std::size_t n = points.cols;
    const std::int64_t* const first = points.small;
    std::vector<std::int64_t> low(first, first + n), high = low, step(n, 0);
    std::vector<std::size_t> open(n);  // columns whose step may still become smaller
    std::iota(open.begin(), open.end(), std::size_t{0});
    for (std::size_t r = 1; r < points.rows; ++r) {
        monitor.step(0);
        const std::int64_t* const row = points.small + r * n;
        for (std::size_t c = 0; c < n; ++c) {
            low[c] = std::min(low[c], row[c]);
            high[c] = std::max(high[c], row[c]);
        }
        std::size_t kept = 0;
        for (const std::size_t c : open) {
            if (row[c] != first[c]) step[c] = std::gcd(step[c], row[c] - first[c]);
            open[kept] = c;
            kept += step[c] != 1;
        }
        open.resize(kept);
    }
    std::int64_t widest = 0;
    for (std::size_t c = 0; c < n; ++c) {
        projection.offsets.emplace_back(static_cast<long>(low[c]));
        projection.steps.emplace_back(static_cast<long>(step[c]));
        if (step[c] != 0) widest = std::max(widest, (high[c] - low[c]) / step[c]);
    }
    return widest;
}

void big_columns(const Table& points, Projection& projection, base::Monitor& monitor) {
    for (std::size_t c = 0; c < points.cols; ++c) {
        monitor.step(0);
        const Integer* low = &points.big[c];
        for (std::size_t r = 1; r < points.rows; ++r) {
            if (r % 1024 == 0) monitor.step(0);
            if (points.big[r * points.cols + c] < *low) low = &points.big[r * points.cols + c];
        }
        Integer step;
        for (std::size_t r = 0; r < points.rows && !step.is_one(); ++r) {
            monitor.step(0);
            step = gcd(step, points.big[r * points.cols + c] - *low);
        }
        projection.offsets.push_back(*low);
        projection.steps.push_back(step);
    }
}

/// Mixed radix: the weight of a column exceeds all that the columns before it can add up to.
void lexicographic(const Table& points, Projection& projection, base::Monitor& monitor) {
    projection.values.resize(points.rows);
    Integer weight = 1;
    for (std::size_t c = 0; c < points.cols; ++c) {
        if (projection.steps[c].sign() == 0) continue;
        projection.weights[c] = weight;
        Integer span;
        for (std::size_t r = 0; r < points.rows; ++r) {
            monitor.step(0);
            const Integer value =
                exact_div(points.numerator(r, c) - projection.offsets[c], projection.steps[c]);
            mpz_addmul(projection.values[r].get(), value.get(), weight.get());
            span = std::max(span, value);
        }
        weight += weight * span;
    }
}

/// Of `word(c)` for all c < n, by a mixing that is not linear. Words go to several hashes in turn,
/// since each of them waits for the product before.
template <class Word>
std::uint64_t hash_row(std::size_t n, const Word& word) {
    constexpr std::size_t lanes = 4;
    std::uint64_t hash[lanes] = {};
    const auto mix = [&](std::size_t lane, std::uint64_t value) {
        const std::uint64_t product = (hash[lane] ^ value) * 0x9e3779b97f4a7c15ULL;
        hash[lane] = product ^ product >> 32;
    };
    std::size_t c = 0;
    for (; c + lanes <= n; c += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) mix(lane, word(c + lane));
    }
    for (; c < n; ++c) mix(0, word(c));
    std::uint64_t all = 0;
    for (const std::uint64_t part : hash) all = base::SplitMix64(all ^ part).next();
    return all;
}

}  // namespace

Projection choose_projection(const Table& points, Strategy strategy, std::uint64_t seed,
                             base::Monitor& monitor) {
    Projection projection;
    projection.weights.resize(points.cols);
    std::int64_t widest = 0;
    if (points.rows == 0) {
        projection.offsets.resize(points.cols);
        projection.steps.resize(points.cols);
    } else if (points.is_small()) {
        widest = small_columns(points, projection, monitor);
    } else {
        big_columns(points, projection, monitor);
    }
    if (strategy == Strategy::lexicographic) {
        lexicographic(points, projection, monitor);
    } else {
        search_projection(points, strategy, seed, widest, projection, monitor);
    }
    for (Integer& step : projection.steps) {
        if (step.sign() == 0) step = 1;  // a constant column: any step will do
    }
    return projection;
}

std::vector<Rational> project(const Table& points, std::span<const Integer> weights,
                              base::Monitor& monitor) {
    if (weights.size() != points.cols) {
        throw std::invalid_argument("project: one weight per column is needed");
    }
    Integer common = 1;
    for (const Integer& denominator : points.denominators) common = lcm(common, denominator);
    std::vector<Integer> scaled;
    for (std::size_t c = 0; c < points.cols; ++c) {
        scaled.push_back(weights[c] * exact_div(common, points.denominators[c]));
    }
    std::vector<Rational> values;
    values.reserve(points.rows);
    for (std::size_t r = 0; r < points.rows; ++r) {
        monitor.step(0);
        Integer sum;
        for (std::size_t c = 0; c < points.cols; ++c) points.add_product(sum, scaled[c], r, c);
        values.emplace_back(sum, common);
    }
    return values;
}

std::optional<std::pair<std::size_t, std::size_t>> find_collision(std::span<const Rational> values,
                                                                  base::Monitor& monitor) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    base::sort(order.begin(), order.end(), monitor, [&](std::size_t a, std::size_t b) {
        const int c = mpq_cmp(values[a].get(), values[b].get());
        return c != 0 ? c < 0 : a < b;
    });
    for (std::size_t k = 1; k < order.size(); ++k) {
        if (values[order[k - 1]] == values[order[k]]) return {{order[k - 1], order[k]}};
    }
    return std::nullopt;
}

std::vector<std::size_t> first_occurrences(const Table& points, base::Monitor& monitor) {
    // Equal rows have equal hashes; rows of equal hash are compared entry by entry.
    std::vector<std::uint64_t> hashes(points.rows);
    constexpr unsigned long modulus = std::numeric_limits<long>::max();
    for (std::size_t r = 0; r < points.rows; ++r) {
        monitor.step(0);
        const std::size_t begin = r * points.cols;
        hashes[r] = hash_row(points.cols, [&](std::size_t c) {
            return points.is_small() ? static_cast<std::uint64_t>(points.small[begin + c])
                                     : mpz_fdiv_ui(points.big[begin + c].get(), modulus);
        });
    }
    const auto equal = [&](std::size_t a, std::size_t b) {
        if (points.is_small()) {
            return std::equal(points.small + a * points.cols, points.small + (a + 1) * points.cols,
                              points.small + b * points.cols);
        }
        return std::equal(points.big.data() + a * points.cols,
                          points.big.data() + (a + 1) * points.cols,
                          points.big.data() + b * points.cols);
    };
    std::vector<std::size_t> order(points.rows);
    std::iota(order.begin(), order.end(), std::size_t{0});
    base::sort(order.begin(), order.end(), monitor, [&](std::size_t a, std::size_t b) {
        return hashes[a] != hashes[b] ? hashes[a] < hashes[b] : a < b;
    });
    std::vector<std::size_t> first(points.rows);
    std::iota(first.begin(), first.end(), std::size_t{0});
    for (std::size_t begin = 0; begin < order.size();) {
        monitor.step(0);
        std::vector<std::size_t> distinct;  // of this hash; almost always one
        std::size_t end = begin;
        for (; end < order.size() && hashes[order[end]] == hashes[order[begin]]; ++end) {
            monitor.step(0);
            const std::size_t r = order[end];
            const auto match = std::find_if(distinct.begin(), distinct.end(),
                                            [&](std::size_t d) { return equal(d, r); });
            if (match == distinct.end()) {
                distinct.push_back(r);
            } else {
                first[r] = *match;
            }
        }
        begin = end;
    }
    return first;
}

}  // namespace exactnet::exact
