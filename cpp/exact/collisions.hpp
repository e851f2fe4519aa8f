// Rows that share their t, and changes of single weights that part them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "base/monitor.hpp"
#include "base/splitmix64.hpp"

namespace exactnet::exact {

/// Uniform in [-limit, limit], limit < 2^62.
inline std::int64_t symmetric(base::SplitMix64& generator, std::int64_t limit) {
    const auto n = 2 * static_cast<std::uint64_t>(limit) + 1;
    const std::uint64_t reject = (0 - n) % n;  // 2^64 mod n: below it the remainder is biased
    std::uint64_t x = generator.next();
    while (x < reject) x = generator.next();
    return static_cast<std::int64_t>(x % n) - limit;
}

/// Keeps the pairs of rows with equal t while weights change: a change moves the rows whose entry
/// in its column is not 0, and these alone are looked at. `Column` is a vector of entries.
template <class Column>
class Collisions {
   public:
    using Row = std::uint32_t;

    Collisions(const std::vector<Column>& columns, std::size_t rows, base::Monitor& monitor)
        : columns_(columns), rows_(rows), filled_(columns.size()), moved_(rows), next_(rows) {
        std::vector<std::size_t> counts;
        for (std::size_t c = 0; c < columns.size(); ++c) {
            monitor.step(0);
            const auto zeros = std::count(columns[c].begin(), columns[c].end(), 0);
            counts.push_back(rows - static_cast<std::size_t>(zeros));
            dense_.push_back(counts[c] > rows / 2);
            // Memory of all is predicted as 8 bytes an entry.
            if (counts[c] == rows || sizeof(Row) + sizeof(columns[c][0]) > 8) continue;
            filled_[c].reserve(counts[c]);
            for (std::size_t r = 0; r < rows; ++r) {
                if (columns[c][r] != 0) filled_[c].push_back(static_cast<Row>(r));
            }
        }
        order_.resize(columns.size());
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        std::stable_sort(order_.begin(), order_.end(),
                         [&](std::size_t a, std::size_t b) { return counts[a] < counts[b]; });
        while ((std::size_t{1} << (64 - shift_)) < 4 * rows) --shift_;
        heads_.resize(std::size_t{1} << (64 - shift_));
        moved_heads_.resize(heads_.size());
        bit_shift_ = shift_ - 3;
        bits_.resize(std::size_t{1} << (64 - bit_shift_ - 6));
    }

    /// Changes weights within [-limit, limit], and the values t with them, until all values differ.
    /// Gives up where many pairs are equal, or when it has looked at `budget` rows, which it takes
    /// off the budget.
    bool part(std::vector<std::int64_t>& weights, std::vector<std::int64_t>& values,
              std::int64_t limit, std::uint64_t& budget, base::SplitMix64& generator,
              base::Monitor& monitor) {
        values_ = &values;
        if (!find_pairs(monitor)) return false;
        std::vector<std::size_t> candidates;
        while (!pairs_.empty()) {
            // The columns that part one of the pairs, those first that move the fewest rows.
            const auto [a, b] = pairs_[generator.next() % pairs_.size()];
            candidates.clear();
            for (const std::size_t c : order_) {
                if (columns_[c][a] != columns_[c][b]) candidates.push_back(c);
            }
            spend(budget, columns_.size());
            for (int k = 0; k < 32; ++k) {
                monitor.step(0);
                if (budget == 0) return false;
                const std::uint64_t u = generator.next() >> 48, square = u * u >> 16;
                const std::size_t c = candidates[candidates.size() * (square * square) >> 32];
                const std::int64_t weight = symmetric(generator, limit);
                if (change(c, weight - weights[c], budget)) {
                    weights[c] = weight;
                    break;
                }
            }
        }
        return true;
    }

   private:
    static constexpr Row none = UINT32_MAX;
    static constexpr std::size_t most_pairs = 64;  // more are not worth the work

    struct MovedHead {
        Row row;        // the first of the rows that a change gives such a value,
        Row trial = 0;  // if it is the change looked at
    };

    static std::uint64_t hash_of(std::int64_t value) {
        return static_cast<std::uint64_t>(value) * 0x9e3779b97f4a7c15ULL;
    }
    std::size_t slot_of(std::int64_t value) const { return hash_of(value) >> shift_; }

    static void spend(std::uint64_t& budget, std::size_t n) {
        budget -= std::min<std::uint64_t>(budget, n);
    }

    /// Puts all rows into their slots; false if many pairs are equal.
    bool find_pairs(base::Monitor& monitor) {
        const std::vector<std::int64_t>& values = *values_;
        std::fill(heads_.begin(), heads_.end(), none);
        pairs_.clear();
        for (std::size_t r = 0; r < rows_; ++r) {
            if (r % 4096 == 0) monitor.step(0);
            Row& head = heads_[slot_of(values[r])];
            for (Row s = head; s != none; s = next_[s]) {
                if (values[s] == values[r]) pairs_.emplace_back(s, static_cast<Row>(r));
            }
            if (pairs_.size() > most_pairs) return false;
            next_[r] = std::exchange(head, static_cast<Row>(r));
        }
        mark_all();
        return true;
    }

    /// Calls `visit(row)` for the rows that a change of weight c moves, until it returns false.
    template <class Visit>
    bool each_moved(std::size_t c, const Visit& visit) const {
        if (!filled_[c].empty()) {
            return std::all_of(filled_[c].begin(), filled_[c].end(), visit);
        }
        const Column& column = columns_[c];
        for (std::size_t r = 0; r < rows_; ++r) {
            if (column[r] != 0 && !visit(static_cast<Row>(r))) return false;
        }
        return true;
    }

    // One bit for every value there is, and for some that were: most values end here.
    void mark(std::int64_t value) {
        const std::uint64_t hash = hash_of(value) >> bit_shift_;
        bits_[hash / 64] |= std::uint64_t{1} << (hash % 64);
    }
    bool marked(std::int64_t value) const {
        const std::uint64_t hash = hash_of(value) >> bit_shift_;
        return (bits_[hash / 64] >> (hash % 64) & 1) != 0;
    }
    void mark_all() {
        std::fill(bits_.begin(), bits_.end(), 0);
        for (const std::int64_t value : *values_) mark(value);
        stale_ = 0;
    }

    /// Notes pairs of a moved row and one that stays; false if they are more than `most`.
    bool misses_others(std::size_t c, std::int64_t change, std::size_t most,
                       std::uint64_t& budget) {
        const Column& column = columns_[c];
        const std::vector<std::int64_t>& values = *values_;
        std::size_t visited = 0;
        const bool good = each_moved(c, [&](Row r) {
            ++visited;
            const std::int64_t value = values[r] + change * static_cast<std::int64_t>(column[r]);
            if (!marked(value)) return true;
            for (Row s = heads_[slot_of(value)]; s != none; s = next_[s]) {
                if (values[s] == value && column[s] == 0) made_.emplace_back(s, r);
            }
            return made_.size() <= most;
        });
        spend(budget, visited);
        return good;
    }

    /// Notes pairs of moved rows that get one value; false if pairs are more than `most`.
    bool misses_moved(std::size_t c, std::int64_t change, std::size_t most, std::uint64_t& budget) {
        const Column& column = columns_[c];
        const std::vector<std::int64_t>& values = *values_;
        if (++trial_ == 0) {
            for (MovedHead& head : moved_heads_) head.trial = 0;
            trial_ = 1;
        }
        std::size_t visited = 0;
        const bool good = each_moved(c, [&](Row r) {
            ++visited;
            const std::int64_t value = values[r] + change * static_cast<std::int64_t>(column[r]);
            MovedHead& head = moved_heads_[slot_of(value)];
            const Row first = head.trial == trial_ ? head.row : none;
            head = {r, trial_};
            moved_[r] = {value, first};
            for (Row s = first; s != none; s = moved_[s].next) {
                if (moved_[s].value == value && column[s] != column[r]) made_.emplace_back(s, r);
            }
            return made_.size() <= most;
        });
        spend(budget, visited);
        return good;
    }

    /// Adds `change` to weight c if that makes no more pairs of equal values than it parts.
    bool change(std::size_t c, std::int64_t change, std::uint64_t& budget) {
        if (change == 0) return false;
        const Column& column = columns_[c];
        const auto parted = [&](const Pair& pair) {
            return column[pair.first] != column[pair.second];
        };
        const auto n_parted =
            static_cast<std::size_t>(std::count_if(pairs_.begin(), pairs_.end(), parted));
        made_.clear();
        // What most changes fail at comes first: rows that stay, or others that move.
        const bool good = dense_[c] ? misses_moved(c, change, n_parted, budget) &&
                                          misses_others(c, change, n_parted, budget)
                                    : misses_others(c, change, n_parted, budget) &&
                                          misses_moved(c, change, n_parted, budget);
        if (!good) return false;
        std::vector<std::int64_t>& values = *values_;
        std::size_t visited = 0;
        each_moved(c, [&](Row r) {
            ++visited;
            Row* link = &heads_[slot_of(values[r])];
            while (*link != r) link = &next_[*link];
            *link = next_[r];
            values[r] = moved_[r].value;
            next_[r] = std::exchange(heads_[slot_of(values[r])], r);
            mark(values[r]);
            return true;
        });
        spend(budget, visited);
        stale_ += visited;
        if (stale_ > rows_) mark_all();
        std::erase_if(pairs_, parted);
        pairs_.insert(pairs_.end(), made_.begin(), made_.end());
        return true;
    }

    using Pair = std::pair<Row, Row>;
    struct Moved {
        std::int64_t value;
        Row next;
    };

    const std::vector<Column>& columns_;
    std::size_t rows_;
    std::vector<std::vector<Row>> filled_;  // rows that are not 0, where these are few
    std::vector<bool> dense_;               // whether more rows move than stay
    std::vector<std::size_t> order_;        // of columns, by the number of rows that are not 0
    std::vector<std::int64_t>* values_ = nullptr;
    unsigned shift_ = 60, bit_shift_ = 56;
    std::vector<std::uint64_t> bits_;
    std::size_t stale_ = 0;
    std::vector<Row> heads_;  // of the lists of rows with such a value
    std::vector<MovedHead> moved_heads_;
    Row trial_ = 0;
    std::vector<Moved> moved_;
    std::vector<Row> next_;
    std::vector<Pair> pairs_, made_;
};

}  // namespace exactnet::exact
