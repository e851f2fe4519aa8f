#include "projection.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <type_traits>

#include "base/splitmix64.hpp"

namespace exactnet::exact {
namespace {

/// Uniform in [-limit, limit], limit < 2^62.
std::int64_t symmetric(base::SplitMix64& generator, std::int64_t limit) {
    const auto n = 2 * static_cast<std::uint64_t>(limit) + 1;
    const std::uint64_t reject = (0 - n) % n;  // 2^64 mod n: below it the remainder is biased
    std::uint64_t x = generator.next();
    while (x < reject) x = generator.next();
    return static_cast<std::int64_t>(x % n) - limit;
}

// ---------------------------------------------------------------- columns, shifted and scaled

std::vector<Integer> column_offsets(const Table& points, base::Monitor& monitor) {
    std::vector<Integer> offsets(points.cols);
    if (points.rows == 0) return offsets;
    if (points.is_small()) {
        std::vector<std::int64_t> low(points.small, points.small + points.cols);
        for (std::size_t r = 1; r < points.rows; ++r) {
            monitor.step(0);
            for (std::size_t c = 0; c < points.cols; ++c) {
                low[c] = std::min(low[c], points.small[r * points.cols + c]);
            }
        }
        for (std::size_t c = 0; c < points.cols; ++c) offsets[c] = static_cast<long>(low[c]);
        return offsets;
    }
    for (std::size_t c = 0; c < points.cols; ++c) {
        const Integer* low = &points.big[c];
        for (std::size_t r = 1; r < points.rows; ++r) {
            if (r % 1024 == 0) monitor.step(0);
            if (points.big[r * points.cols + c] < *low) low = &points.big[r * points.cols + c];
        }
        monitor.step(0);
        offsets[c] = *low;
    }
    return offsets;
}

/// The gcd of a column's distances from its offset; 0 for a constant column.
Integer column_step(const Table& points, std::size_t c, const Integer& offset,
                    base::Monitor& monitor) {
    if (points.is_small()) {
        const auto low = static_cast<std::int64_t>(mpz_get_si(offset.get()));
        std::int64_t step = 0;
        for (std::size_t r = 0; r < points.rows && step != 1; ++r) {
            step = std::gcd(step, points.small[r * points.cols + c] - low);
        }
        return Integer(static_cast<long>(step));
    }
    Integer step;
    for (std::size_t r = 0; r < points.rows && !step.is_one(); ++r) {
        monitor.step(0);
        step = gcd(step, points.big[r * points.cols + c] - offset);
    }
    return step;
}

template <class Value>
Value narrow(const Integer& value) {
    if constexpr (std::is_same_v<Value, std::int64_t>) {
        return mpz_get_si(value.get());
    } else {
        return value;
    }
}

/// The columns that vary, as (numerator - offset) / step, column-major so that one weight is
/// applied to all rows at once. `Stored` is Value or narrower: it is memory that takes time here.
template <class Value, class Stored>
struct Columns {
    std::vector<std::size_t> index;           // in the table
    std::vector<std::vector<Stored>> values;  // [varying column][row], from 0 to span
    std::vector<Value> spans;
};

template <class Value, class Stored>
Columns<Value, Stored> normalise(const Table& points, const Projection& affine,
                                 base::Monitor& monitor) {
    Columns<Value, Stored> columns;
    for (std::size_t c = 0; c < points.cols; ++c) {
        if (affine.steps[c].sign() != 0) columns.index.push_back(c);
    }
    const std::size_t n = columns.index.size();
    columns.values.assign(n, std::vector<Stored>(points.rows));
    columns.spans.assign(n, Value(0));
    std::vector<Value> offsets, steps;
    for (const std::size_t c : columns.index) {
        offsets.push_back(narrow<Value>(affine.offsets[c]));
        steps.push_back(narrow<Value>(affine.steps[c]));
    }
    for (std::size_t r = 0; r < points.rows; ++r) {  // in the table's order of memory
        monitor.step(0);
        for (std::size_t k = 0; k < n; ++k) {
            if (k % 1024 == 1023) monitor.step(0);
            const std::size_t c = columns.index[k];
            Value value;
            if constexpr (std::is_same_v<Value, std::int64_t>) {
                value = points.small[r * points.cols + c] - offsets[k];
                if (steps[k] != 1) value /= steps[k];
            } else {
                value = exact_div(points.numerator(r, c) - offsets[k], steps[k]);
            }
            columns.spans[k] = std::max(columns.spans[k], value);
            columns.values[k][r] = static_cast<Stored>(std::move(value));
        }
    }
    return columns;
}

/// Whether the differences of small numerators fit into 32 bits.
bool is_narrow(const Table& points) {
    const std::int64_t* const end = points.small + points.rows * points.cols;
    std::int64_t low = 0, high = 0;
    for (const std::int64_t* value = points.small; value != end; ++value) {
        low = std::min(low, *value);
        high = std::max(high, *value);
    }
    constexpr std::int64_t limit = std::int64_t{1} << 30;
    return -limit < low && high < limit;
}

void add_scaled(std::int64_t& sum, std::int64_t value, std::int64_t weight) {
    sum += weight * value;
}

void add_scaled(Integer& sum, const Integer& value, std::int64_t weight) {
    if (weight >= 0) {
        mpz_addmul_ui(sum.get(), value.get(), static_cast<unsigned long>(weight));
    } else {
        mpz_submul_ui(sum.get(), value.get(), static_cast<unsigned long>(-weight));
    }
}

// ---------------------------------------------------------------- the search

/// Whether all values differ. Reorders them, or uses `bits` as a table of flags.
template <class Value>
bool all_distinct(std::vector<Value>& values, const Value& low, const Value& range,
                  std::vector<std::uint64_t>& bits, base::Monitor& monitor) {
    if constexpr (std::is_same_v<Value, std::int64_t>) {
        // Flags beat sorting while they fit in the first cache levels.
        if (range < std::int64_t{1} << 22 && range < 4096 * static_cast<Value>(values.size())) {
            bits.assign(static_cast<std::size_t>(range / 64 + 1), 0);
            for (const Value value : values) {
                const auto offset = static_cast<std::uint64_t>(value - low);
                std::uint64_t& word = bits[offset / 64];
                const std::uint64_t flag = std::uint64_t{1} << (offset % 64);
                if ((word & flag) != 0) return false;
                word |= flag;
            }
            return true;
        }
    }
    base::sort(values.begin(), values.end(), monitor, std::less<>());
    return std::adjacent_find(values.begin(), values.end()) == values.end();
}

template <class Value, class Stored>
class Search {
   public:
    Search(const Columns<Value, Stored>& columns, std::size_t rows, std::uint64_t seed,
           base::Monitor& monitor)
        : columns_(columns), rows_(rows), generator_(seed), monitor_(monitor) {}

    /// False when 64 bits would overflow: the caller goes on with Integer.
    bool run(std::size_t tries, bool stop_at_first) {
        Value total_span = 0;
        for (const Value& span : columns_.spans) {
            if (overflows(total_span, span, 1)) return false;
            total_span += span;
        }
        std::int64_t limit = 1;
        for (; !found(); limit *= 2) {
            if (limit > std::int64_t{1} << 60) {
                throw std::domain_error("no separating projection found: are the rows distinct?");
            }
            if (overflows(Value(0), total_span, limit)) return false;
            // No draw of this limit can reach a range of rows - 1.
            if (total_span <
                Value(static_cast<long>(rows_ / static_cast<std::size_t>(2 * limit)))) {
                continue;
            }
            for (std::size_t k = 0; k < tries && !(found() && stop_at_first); ++k) attempt(limit);
        }
        if (stop_at_first) return true;
        // Draws that separate the rows become rare as their range shrinks; look where ranges are
        // at or below the best one.
        for (std::size_t k = 0; k < 9 * tries; ++k) {
            attempt(std::max<std::int64_t>(1, limit / 20 * static_cast<std::int64_t>(1 + k % 10)));
        }
        return true;
    }

    const std::vector<std::int64_t>& best() const { return best_; }

   private:
    static constexpr std::size_t prefix = 4096;

    bool found() const { return !best_.empty(); }

    static bool overflows(const Value& sum, const Value& value, std::int64_t factor) {
        if constexpr (std::is_same_v<Value, std::int64_t>) {
            return value > ((std::int64_t{1} << 62) - sum) / factor;
        } else {
            return (void)sum, (void)value, (void)factor, false;
        }
    }

    /// Draws weights in [-limit, limit] and keeps them if they are the best so far.
    void attempt(std::int64_t limit) {
        monitor_.step(0);
        weights_.resize(columns_.index.size());
        bool zero = true;
        for (auto& weight : weights_) zero = (weight = symmetric(generator_, limit)) == 0 && zero;
        if (zero) return;
        // Most draws fail on a few rows already, which spares the rest of a large table.
        if (rows_ > prefix && !separates(prefix)) return;
        if (!separates(rows_)) return;
        best_ = weights_;
        best_range_ = range_;
    }

    bool separates(std::size_t rows) {
        values_.assign(rows, Value(0));
        for (std::size_t c = 0; c < weights_.size(); ++c) {
            const std::int64_t weight = weights_[c];
            if (weight == 0) continue;
            const std::vector<Stored>& column = columns_.values[c];
            for (std::size_t r = 0; r < rows; ++r) add_scaled(values_[r], column[r], weight);
            if (rows > prefix) monitor_.step(0);
        }
        Value low = values_[0], high = values_[0];
        for (const Value& value : values_) {
            low = std::min(low, value);
            high = std::max(high, value);
        }
        range_ = high - low;
        if (found() && range_ >= best_range_) return false;
        if (range_ < Value(static_cast<long>(rows - 1))) return false;
        return all_distinct(values_, low, range_, bits_, monitor_);
    }

    const Columns<Value, Stored>& columns_;
    std::size_t rows_;
    base::SplitMix64 generator_;
    base::Monitor& monitor_;
    std::vector<std::int64_t> weights_, best_;
    std::vector<Value> values_;
    Value range_ = 0, best_range_ = 0;
    std::vector<std::uint64_t> bits_;
};

template <class Value, class Stored>
bool search(const Table& points, Strategy strategy, std::uint64_t seed, Projection& projection,
            base::Monitor& monitor) {
    const auto columns = normalise<Value, Stored>(points, projection, monitor);
    if (columns.index.empty()) {  // a single row: every weight is 0
        projection.values.resize(points.rows);
        return true;
    }
    Search<Value, Stored> search(columns, points.rows, seed, monitor);
    // A budget in multiply-adds, not in seconds, keeps the result the same on every machine.
    const std::size_t budget = std::is_same_v<Value, std::int64_t> ? 2'000'000 : 100'000;
    const std::size_t tries =
        strategy == Strategy::random
            ? 1
            : std::clamp<std::size_t>(budget / (points.rows * columns.index.size()), 2, 120);
    if (!search.run(tries, strategy == Strategy::random)) return false;
    std::vector<Value> values(points.rows, Value(0));
    for (std::size_t k = 0; k < columns.index.size(); ++k) {
        monitor.step(0);
        const std::int64_t weight = search.best()[k];
        projection.weights[columns.index[k]] = static_cast<long>(weight);
        for (std::size_t r = 0; r < points.rows; ++r) {
            add_scaled(values[r], columns.values[k][r], weight);
        }
    }
    projection.values.assign(values.begin(), values.end());
    return true;
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

}  // namespace

Projection choose_projection(const Table& points, Strategy strategy, std::uint64_t seed,
                             base::Monitor& monitor) {
    Projection projection;
    projection.weights.resize(points.cols);
    projection.offsets = column_offsets(points, monitor);
    for (std::size_t c = 0; c < points.cols; ++c) {
        monitor.step(0);
        projection.steps.push_back(column_step(points, c, projection.offsets[c], monitor));
    }
    if (strategy == Strategy::lexicographic) {
        lexicographic(points, projection, monitor);
    } else {
        const auto run = [&]<class Value, class Stored>(Value, Stored) {
            return search<Value, Stored>(points, strategy, seed, projection, monitor);
        };
        constexpr std::int64_t wide = 0;
        const bool found =
            points.is_small() && (is_narrow(points) ? run(wide, std::int32_t{}) : run(wide, wide));
        if (!found) run(Integer(), Integer());
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
        std::uint64_t hash = 0;
        for (std::size_t c = 0; c < points.cols; ++c) {
            const std::uint64_t word =
                points.is_small() ? static_cast<std::uint64_t>(points.small[r * points.cols + c])
                                  : mpz_fdiv_ui(points.big[r * points.cols + c].get(), modulus);
            hash = base::SplitMix64(hash ^ word).next();  // a mixing that is not linear
        }
        hashes[r] = hash;
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
