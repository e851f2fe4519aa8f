#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "check.hpp"
#include "dense/random.hpp"
#include "dense/samples.hpp"
#include "sparse_rows.hpp"

using namespace exactnet::dense;

TEST(samples_keep_what_is_not_zero) {
    Generator generator(6);
    const std::size_t m = 50, n = 200;
    std::vector<double> x = sparse_rows<double>(generator, m, n);
    x[3] = -0.0;
    x[4] = 5e-324;
    const Samples<double> samples({x.data(), m, n});
    CHECK(samples.sparse());
    CHECK(samples.finite());
    for (std::size_t s = 0; s < m; ++s) {
        const SparseRow<double> row = samples.row(s);
        std::vector<double> unpacked(n);
        for (std::size_t b = 0; b * sparse_block < n; ++b) {
            CHECK((row.offsets[b + 1] - row.offsets[b]) % 2 == 0);
            for (std::size_t i = row.offsets[b]; i < row.offsets[b + 1]; ++i) {
                unpacked[b * sparse_block + row.columns[i]] += row.values[i];
            }
        }
        for (std::size_t k = 0; k < n; ++k) CHECK(unpacked[k] == x[s * n + k]);
    }
    for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
        for (const bool sparse : {false, true}) {
            std::vector<double> y(m * n, sparse ? 0 : 1);
            CHECK(Samples<double>({y.data(), m, n}).finite());
            y[m * n - 7] = bad;
            const Samples<double> damaged({y.data(), m, n});
            CHECK(damaged.sparse() == sparse);
            CHECK(!damaged.finite());
        }
    }
}

TEST(samples_of_compressed_rows_are_those_of_the_matrix) {
    Generator generator(8);
    for (const std::size_t n : {std::size_t{40}, sparse_block, 3 * sparse_block - 1}) {
        const std::size_t m = 30, width = 16;
        std::vector<float> x = sparse_rows<float>(generator, m, n), values, space;
        std::vector<std::int64_t> starts{0};
        std::vector<std::int32_t> columns;
        for (std::size_t k = 0; k < m * n; ++k) {
            if (x[k] != 0 || k % 7 == 0) {  // some of them 0
                values.push_back(x[k]);
                columns.push_back(static_cast<std::int32_t>(k % n));
            }
            if ((k + 1) % n == 0) starts.push_back(static_cast<std::int64_t>(values.size()));
        }
        const Matrix<float> matrix{values.data(), m, n, starts.data(), columns.data()};
        CHECK(matrix.sparse());
        CHECK(std::equal(x.begin() + static_cast<std::ptrdiff_t>(2 * n), x.end(),
                         matrix.rows(2, m - 2, space)));
        const Samples<float> samples(matrix), expected({x.data(), m, n});
        CHECK(samples.finite());
        CHECK(samples.sparse() == expected.sparse());
        CHECK(samples.sparse() == (n >= 64));
        for (std::size_t s = 0; s < m; ++s) {
            samples.prefetch(s);
            if (!samples.sparse()) {
                Panels<float> a(1, n, width), b(1, n, width);
                std::fill_n(a.data(), a.size(), 5.0F);
                std::fill_n(b.data(), b.size(), 5.0F);
                samples.copy(s, a, 0);
                expected.copy(s, b, 0);
                CHECK(std::equal(a.data(), a.data() + a.size(), b.data()));
                continue;
            }
            const SparseRow<float> a = samples.row(s), b = expected.row(s);
            const std::size_t blocks = (n + sparse_block - 1) / sparse_block;
            CHECK(std::equal(a.offsets, a.offsets + blocks + 1, b.offsets));
            CHECK(std::equal(a.values, a.values + a.offsets[blocks], b.values));
            CHECK(std::equal(a.columns, a.columns + a.offsets[blocks], b.columns));
        }
        values[5] = std::nanf("");
        CHECK(!Samples<float>(matrix).finite());
    }
}

TEST(samples_of_bytes_are_those_of_their_numbers) {
    Generator generator(10);
    const auto compare = [&]<class U>(std::size_t n, std::uint32_t every, U) {
        const std::size_t m = 30, width = 16;
        std::vector<std::uint8_t> bytes(m * n);
        for (auto& b : bytes) {
            if (generator.below(every) == 0) b = static_cast<std::uint8_t>(generator.below(256));
        }
        const std::vector<U> x(bytes.begin(), bytes.end());
        Matrix<U> matrix;
        matrix.n = m;
        matrix.inputs = n;
        matrix.bytes = bytes.data();
        std::vector<U> space;
        const U* const rows = matrix.rows(2, m - 2, space);
        CHECK(std::equal(rows, rows + (m - 2) * n, x.begin() + static_cast<std::ptrdiff_t>(2 * n)));
        const Samples<U> samples(matrix), expected({x.data(), m, n});
        CHECK(samples.finite());
        CHECK(samples.sparse() == expected.sparse());
        CHECK(samples.sparse() == (n >= 64 && every > 2));
        std::vector<U> numbers(samples.space());
        for (std::size_t s = 0; s < m; ++s) {
            samples.prefetch(s);
            if (!samples.sparse()) {
                Panels<U> a(1, n, width), b(1, n, width);
                samples.copy(s, a, 0);
                expected.copy(s, b, 0);
                CHECK(std::equal(a.data(), a.data() + a.size(), b.data()));
                continue;
            }
            const SparseRow<U> a = samples.row(s, numbers.data()), b = expected.row(s);
            const std::size_t blocks = (n + sparse_block - 1) / sparse_block;
            CHECK(a.offsets[blocks] <= samples.space());
            CHECK(std::equal(a.offsets, a.offsets + blocks + 1, b.offsets));
            CHECK(std::equal(a.values, a.values + a.offsets[blocks], b.values));
            CHECK(std::equal(a.columns, a.columns + a.offsets[blocks], b.columns));
        }
    };
    for (const std::size_t n : {std::size_t{40}, sparse_block, 3 * sparse_block - 1}) {
        for (const std::uint32_t every : {1U, 5U}) {
            compare(n, every, 0.0F);
            compare(n, every, 0.0);
        }
    }
}

TEST(records_grow_where_the_density_was_underestimated) {
    // 512 rows are probed in steps of 2: those between are full
    const std::size_t m = 512, n = 400;
    std::vector<float> x(m * n);
    for (std::size_t k = 0; k < m * n; ++k) x[k] = k / n % 2 != 0 ? 1 + static_cast<float>(k) : 0;
    const Samples<float> samples({x.data(), m, n});
    CHECK(samples.sparse());
    for (std::size_t s = 0; s < m; ++s) {
        const SparseRow<float> row = samples.row(s);
        CHECK(row.offsets[(n + sparse_block - 1) / sparse_block] == (s % 2 != 0 ? n : 0));
        if (s % 2 != 0) CHECK(row.values[n - 1] == x[s * n + n - 1]);
    }
}
