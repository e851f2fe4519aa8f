#include "projection_search.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/splitmix64.hpp"
#include "collisions.hpp"

namespace exactnet::exact {
namespace {

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
    constexpr std::size_t tile = 16;  // rows: a cache line of each is read once
    for (std::size_t begin = 0; begin < points.rows; begin += tile) {
        const std::size_t end = std::min(points.rows, begin + tile);
        for (std::size_t k = 0; k < n; ++k) {
            if (k % 64 == 0) monitor.step(0);
            const std::size_t c = columns.index[k];
            Value& span = columns.spans[k];
            Stored* const column = columns.values[k].data();
            for (std::size_t r = begin; r < end; ++r) {
                Value value;
                if constexpr (std::is_same_v<Value, std::int64_t>) {
                    value = points.small[r * points.cols + c] - offsets[k];
                    if (steps[k] != 1) value /= steps[k];
                } else {
                    value = exact_div(points.numerator(r, c) - offsets[k], steps[k]);
                }
                span = std::max(span, value);
                column[r] = static_cast<Stored>(std::move(value));
            }
        }
    }
    return columns;
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
        : columns_(columns),
          rows_(rows),
          cells_(rows * columns.values.size()),
          generator_(seed),
          monitor_(monitor) {}

    /// Budgets in operations, not in seconds, keep the result the same on every machine. False when
    /// 64 bits would overflow: the caller goes on with Integer.
    bool run(Strategy strategy) {
        if (strategy == Strategy::random) {
            return double_limits([&](auto limit) { draw_once(limit); });
        }
        if constexpr (is_small) {
            if (rows_ < UINT32_MAX) return run_parting();
        }
        return run_drawing();
    }

    const std::vector<std::int64_t>& best() const { return best_; }

   private:
    static constexpr bool is_small = std::is_same_v<Value, std::int64_t>;
    static constexpr std::size_t prefix = 4096;

    /// Draws whose equal values are parted, first of limits that grow until that succeeds, then of
    /// smaller ones: by larger or smaller steps, as it succeeds or fails.
    bool run_parting() {
        budget_ = std::clamp<std::uint64_t>(1500 * rows_, 60'000, 15'000'000) + cells_ / 8;
        if (!double_limits([&](auto limit) { draw_and_part(limit, budget_ / 16); })) return false;
        const std::uint64_t draw = cells_ / 4 + 2 * rows_ + 200;
        const Value least = static_cast<long>(rows_ - 1);  // no range is smaller
        const std::uint64_t end = std::max(draw, budget_ / 50);
        std::int64_t part = 2;
        while (budget_ > end && columns_.values.size() > 1 && best_range_ > least) {
            const Value before = best_range_;
            const std::int64_t limit = best_limit_ - std::max<std::int64_t>(1, best_limit_ / part);
            budget_ -= draw;
            draw_and_part(std::max<std::int64_t>(1, limit), budget_ / 8);
            if (!(best_range_ < before)) part = part == 16 ? 4 : 2 * part;
        }
        return true;
    }

    /// Many draws; those that separate the rows become rare as their range shrinks, so that most
    /// are made where ranges are at or below the best one.
    bool run_drawing() {
        const std::size_t tries =
            std::clamp<std::size_t>((is_small ? 2'000'000 : 100'000) / cells_, 2, 120);
        const bool fits = double_limits([&](auto limit) {
            for (std::size_t k = 0; k < tries; ++k) draw_once(limit);
        });
        if (!fits) return false;
        const std::int64_t limit = 2 * first_limit_;
        for (std::size_t k = 0; k < 9 * tries; ++k) {
            draw_once(
                std::max<std::int64_t>(1, limit / 20 * static_cast<std::int64_t>(1 + k % 10)));
        }
        return true;
    }

    /// Calls `draw(limit)` for limits 1, 2, 4, ... until a draw separates the rows.
    template <class Draw>
    bool double_limits(const Draw& draw) {
        Value total_span = 0;
        for (const Value& span : columns_.spans) {
            if (overflows(total_span, span, 1)) return false;
            total_span += span;
        }
        for (std::int64_t limit = 1; !found(); limit *= 2) {
            if (limit > std::int64_t{1} << 60) {
                throw std::domain_error("no separating projection found: are the rows distinct?");
            }
            if (overflows(Value(0), total_span, limit)) return false;
            // No draw of this limit can reach a range of rows - 1.
            if (total_span <
                Value(static_cast<long>(rows_ / static_cast<std::size_t>(2 * limit)))) {
                continue;
            }
            first_limit_ = limit;
            draw(limit);
        }
        return true;
    }

    bool found() const { return !best_.empty(); }

    static bool overflows(const Value& sum, const Value& value, std::int64_t factor) {
        if constexpr (is_small) {
            return value > ((std::int64_t{1} << 61) - sum) / factor;
        } else {
            return (void)sum, (void)value, (void)factor, false;
        }
    }

    /// Draws weights in [-limit, limit]; false if all are 0 or the first rows collide, as for most
    /// draws, which spares the rest of a large table.
    bool draw(std::int64_t limit, std::size_t large) {
        monitor_.step(0);
        weights_.resize(columns_.index.size());
        bool zero = true;
        for (auto& weight : weights_) zero = (weight = symmetric(generator_, limit)) == 0 && zero;
        return !zero && (rows_ <= large || separates(prefix));
    }

    /// Keeps the weights if they are the best so far.
    void draw_once(std::int64_t limit) {
        if (draw(limit, prefix) && separates(rows_)) keep(limit);
    }

    void draw_and_part(std::int64_t limit, std::uint64_t budget) {
        if (!draw(limit, 8 * prefix)) return;
        project(rows_);
        if (found() && !(range_ < best_range_)) return;
        if (!collisions_) collisions_.emplace(columns_.values, rows_, monitor_);
        budget_ -= budget;
        const bool parted =
            collisions_->part(weights_, values_, limit, budget, generator_, monitor_);
        budget_ += budget;  // what is left of it
        if (!parted) return;
        measure();
        if (!found() || range_ < best_range_) keep(limit);
    }

    void keep(std::int64_t limit) {
        best_ = weights_;
        best_range_ = range_;
        best_limit_ = limit;
    }

    bool separates(std::size_t rows) {
        project(rows);
        if (found() && !(range_ < best_range_)) return false;
        if (range_ < Value(static_cast<long>(rows - 1))) return false;
        return all_distinct(values_, low_, range_, bits_, monitor_);
    }

    /// The values of the first rows, and their range.
    void project(std::size_t rows) {
        values_.assign(rows, Value(0));
        for (std::size_t c = 0; c < weights_.size(); ++c) {
            const std::int64_t weight = weights_[c];
            if (weight == 0) continue;
            const std::vector<Stored>& column = columns_.values[c];
            for (std::size_t r = 0; r < rows; ++r) add_scaled(values_[r], column[r], weight);
            if (rows > prefix) monitor_.step(0);
        }
        measure();
    }

    void measure() {
        low_ = values_[0];
        Value high = values_[0];
        for (const Value& value : values_) {
            low_ = std::min(low_, value);
            high = std::max(high, value);
        }
        range_ = high - low_;
    }

    const Columns<Value, Stored>& columns_;
    std::size_t rows_, cells_;
    base::SplitMix64 generator_;
    base::Monitor& monitor_;
    std::vector<std::int64_t> weights_, best_;
    std::vector<Value> values_;
    Value low_ = 0, range_ = 0, best_range_ = 0;
    std::int64_t first_limit_ = 1, best_limit_ = 1;
    std::uint64_t budget_ = 0;
    std::optional<Collisions<std::vector<Stored>>> collisions_;
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
    if (!search.run(strategy)) return false;
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

}  // namespace

void search_projection(const Table& points, Strategy strategy, std::uint64_t seed,
                       std::int64_t widest, Projection& projection, base::Monitor& monitor) {
    const auto run = [&]<class Value, class Stored>(Value, Stored) {
        return search<Value, Stored>(points, strategy, seed, projection, monitor);
    };
    constexpr std::int64_t wide = 0;
    bool found = false;
    if (points.is_small()) {
        found = widest <= UINT8_MAX   ? run(wide, std::uint8_t{})
                : widest <= INT32_MAX ? run(wide, std::int32_t{})
                                      : run(wide, wide);
    }
    if (!found) run(Integer(), Integer());
}

}  // namespace exactnet::exact
