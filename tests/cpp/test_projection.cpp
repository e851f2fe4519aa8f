#include <algorithm>
#include <limits>
#include <random>
#include <set>
#include <stdexcept>

#include "check.hpp"
#include "exact/collisions.hpp"
#include "exact/projection.hpp"

using namespace exactnet::exact;

namespace {

struct Data {
    std::vector<std::int64_t> numerators;
    Table table;
};

/// Distinct random rows with entries in [0, high).
Data distinct_rows(std::size_t rows, std::size_t cols, int high, unsigned seed) {
    std::mt19937 generator(seed);
    std::set<std::vector<std::int64_t>> distinct;
    while (distinct.size() < rows) {
        std::vector<std::int64_t> row;
        for (std::size_t c = 0; c < cols; ++c) {
            row.push_back(static_cast<std::int64_t>(generator() % static_cast<unsigned>(high)));
        }
        distinct.insert(row);
    }
    Data data;
    for (const auto& row : distinct) {
        data.numerators.insert(data.numerators.end(), row.begin(), row.end());
    }
    data.table.rows = rows;
    data.table.cols = cols;
    data.table.small = data.numerators.data();
    data.table.denominators.assign(cols, Integer(1));
    return data;
}

Table as_big(const Table& table, const Integer& factor) {
    Table big{table.rows, table.cols, nullptr, {}, table.denominators};
    for (std::size_t r = 0; r < table.rows; ++r) {
        for (std::size_t c = 0; c < table.cols; ++c) {
            big.big.push_back(table.numerator(r, c) * factor);
        }
    }
    return big;
}

bool all_distinct(std::vector<Integer> values) {
    std::sort(values.begin(), values.end());
    return std::adjacent_find(values.begin(), values.end()) == values.end();
}

/// t by its definition.
Integer value_at(const Projection& p, const Table& table, std::size_t r) {
    Integer sum;
    for (std::size_t c = 0; c < table.cols; ++c) {
        sum += p.weights[c] * exact_div(table.numerator(r, c) - p.offsets[c], p.steps[c]);
    }
    return sum;
}

}  // namespace

TEST(every_strategy_separates_the_rows) {
    exactnet::base::Monitor monitor;
    Integer huge = 3;
    mpz_mul_2exp(huge.get(), huge.get(), 300);
    for (const std::size_t rows : {1U, 2U, 60U, 5000U}) {
        const Data data = distinct_rows(rows, 4, 50, 1);
        const Table big = as_big(data.table, huge);
        for (const Strategy strategy :
             {Strategy::lexicographic, Strategy::random, Strategy::smallest}) {
            for (const Table* table : {&data.table, &big}) {
                const Projection p = choose_projection(*table, strategy, 5, monitor);
                CHECK(p.values.size() == rows);
                CHECK(all_distinct(p.values));
                for (std::size_t r = 0; r < rows; r += 1 + rows / 50) {
                    CHECK(p.values[r] == value_at(p, *table, r));
                }
            }
        }
    }
}

TEST(a_common_factor_of_the_data_does_not_matter) {
    exactnet::base::Monitor monitor;
    const Data data = distinct_rows(100, 3, 20, 2);
    const Projection small =
        choose_projection(as_big(data.table, Integer(1)), Strategy::smallest, 0, monitor);
    const Projection large =
        choose_projection(as_big(data.table, Integer(-977)), Strategy::smallest, 0, monitor);
    const auto range = [](const Projection& p) {
        const auto [low, high] = std::minmax_element(p.values.begin(), p.values.end());
        return *high - *low;
    };
    CHECK(range(large) < range(small) * Integer(3));
}

TEST(sums_beyond_64_bits_are_exact) {
    exactnet::base::Monitor monitor;
    const std::int64_t top = (std::int64_t{1} << 62) - 1;
    const std::vector<std::int64_t> numerators{top, -top, -top, top, 0, 0, 1, top, top, 1};
    Table table{5, 2, numerators.data(), {}, {Integer(1), Integer(1)}};
    for (const Strategy strategy :
         {Strategy::lexicographic, Strategy::random, Strategy::smallest}) {
        const Projection p = choose_projection(table, strategy, 0, monitor);
        CHECK(all_distinct(p.values));
        for (std::size_t r = 0; r < 5; ++r) CHECK(p.values[r] == value_at(p, table, r));
    }
}

/// Columns from mostly 0 to full, where weights are to be changed one by one.
template <class Stored>
void check_parting(std::size_t rows) {
    exactnet::base::Monitor monitor;
    exactnet::base::SplitMix64 generator(7);
    constexpr std::size_t cols = 30;
    std::vector<std::vector<Stored>> columns(cols, std::vector<Stored>(rows));
    for (std::size_t c = 0; c < cols; ++c) {
        for (Stored& value : columns[c]) {
            if (generator.next() % cols <= c) value = static_cast<Stored>(generator.next() % 20);
        }
    }
    exactnet::exact::Collisions<std::vector<Stored>> collisions(columns, rows, monitor);
    std::size_t parted = 0;
    for (const std::int64_t limit : {200, 500, 700, 1000, 2000}) {
        std::vector<std::int64_t> weights, values;
        for (std::size_t c = 0; c < cols; ++c) weights.push_back(symmetric(generator, limit));
        const auto project = [&] {
            std::vector<std::int64_t> sums(rows);
            for (std::size_t c = 0; c < cols; ++c) {
                for (std::size_t r = 0; r < rows; ++r) {
                    sums[r] += weights[c] * static_cast<std::int64_t>(columns[c][r]);
                }
            }
            return sums;
        };
        values = project();
        std::vector<std::int64_t> before = values;
        std::sort(before.begin(), before.end());
        const bool distinct = std::adjacent_find(before.begin(), before.end()) == before.end();
        std::uint64_t budget = 300'000;
        const bool success = collisions.part(weights, values, limit, budget, generator, monitor);
        CHECK(values == project());
        std::sort(values.begin(), values.end());
        CHECK(success == (std::adjacent_find(values.begin(), values.end()) == values.end()));
        for (const std::int64_t weight : weights) CHECK(-limit <= weight && weight <= limit);
        parted += success && !distinct;
    }
    CHECK(parted > 0);
}

TEST(changes_of_single_weights_part_rows) {
    check_parting<std::uint8_t>(1000);
    check_parting<std::int64_t>(1000);
}

TEST(given_weights_and_collisions) {
    exactnet::base::Monitor monitor;
    const std::vector<std::int64_t> numerators{1, 2, 3, 1, 2, 0};
    const Table table{3, 2, numerators.data(), {}, {Integer(2), Integer(3)}};
    const std::vector<Integer> weights{Integer(2), Integer(3)};
    const auto values = project(table, weights, monitor);  // 1 + 2, 3 + 1, 2 + 0
    CHECK(values[0] == Rational(3));
    CHECK(values[1] == Rational(4));
    CHECK(!find_collision(values, monitor));
    const std::vector<Rational> equal{Rational(5), Rational(4), Rational(7), Rational(4)};
    const auto collision = find_collision(equal, monitor);
    CHECK(collision && collision->first == 1 && collision->second == 3);
    CHECK_THROWS(project(table, std::vector<Integer>{Integer(1)}, monitor), std::invalid_argument);
}

TEST(equal_rows_are_found) {
    exactnet::base::Monitor monitor;
    const std::vector<std::int64_t> numerators{1, 2, 3, 4, 1, 2, 2, 1, 3, 4, 1, 2};
    const Table table{6, 2, numerators.data(), {}, {Integer(1), Integer(1)}};
    const std::vector<std::size_t> expected{0, 1, 0, 3, 1, 0};
    CHECK(first_occurrences(table, monitor) == expected);
    CHECK(first_occurrences(as_big(table, Integer(-7)), monitor) == expected);
    // differences that vanish modulo 2^63 - 1, by which big rows are hashed
    const Table alike{
        2, 1, nullptr, {Integer(0), Integer(std::numeric_limits<long>::max())}, {Integer(1)}};
    CHECK((first_occurrences(alike, monitor) == std::vector<std::size_t>{0, 1}));
}
