#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

#include "check.hpp"
#include "dense/kernels.hpp"
#include "dense/network.hpp"
#include "dense/random.hpp"
#include "dense/samples.hpp"
#include "sparse_rows.hpp"

using namespace exactnet::dense;

namespace {

/// Runs a body for float and double on every instruction set of this processor.
template <class Body>
void on_every_target(const Body& body) {
    for (const std::string& isa : supported_isas()) {
        body(kernels<float>(isa), 1e-6);
        body(kernels<double>(isa), 1e-15);
    }
}

template <class T>
void fill(Generator& generator, T* data, std::size_t n) {
    for (std::size_t k = 0; k < n; ++k) data[k] = static_cast<T>(generator.symmetric());
}

/// Element (row, column) of a matrix in panels.
template <class T>
T& at(Panels<T>& matrix, std::size_t row, std::size_t column) {
    return matrix.at(column / matrix.width(), row)[column % matrix.width()];
}

template <class T>
Panels<T> random_panels(Generator& generator, std::size_t rows, std::size_t columns,
                        std::size_t width) {
    Panels<T> matrix(rows, columns, width);
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < columns; ++c) {
            at(matrix, r, c) = static_cast<T>(generator.symmetric());
        }
    }
    return matrix;
}

}  // namespace

TEST(products_equal_the_definition) {
    on_every_target([]<class U>(const Kernels<U>& k, double tolerance) {
        Generator generator(1);
        for (const std::size_t m : {1U, 2U, 5U, 6U, 7U, 13U, 30U}) {
            for (const std::size_t n : {1U, 3U, 20U, 32U, 70U}) {
                const std::size_t outputs = 1 + n % 37, spare = 9;
                Panels<U> w = random_panels<U>(generator, n, outputs, k.width);
                Panels<U> a = random_panels<U>(generator, m, n, k.width);
                std::vector<U> row_major(m * (n + spare));
                for (std::size_t r = 0; r < m; ++r) {
                    for (std::size_t i = 0; i < n; ++i)
                        row_major[r * (n + spare) + i] = at(a, r, i);
                }
                Buffer<U> bias(round_up(outputs, k.width));
                fill(generator, bias.data(), outputs);
                for (const View<U>& view :
                     {a.view(), View<U>{row_major.data(), n + spare, k.width}}) {
                    for (const bool biased : {false, true}) {
                        const U* const start = biased ? bias.data() : nullptr;
                        Panels<U> z(m, outputs, k.width);
                        k.product(m, n, view, w.data(), w.stride(), w.count(), start, z.data(),
                                  z.stride());
                        for (std::size_t r = 0; r < m; ++r) {
                            for (std::size_t o = 0; o < outputs; ++o) {
                                double sum = start != nullptr ? start[o] : 0;
                                for (std::size_t i = 0; i < n; ++i) {
                                    sum += static_cast<double>(at(a, r, i)) * at(w, i, o);
                                }
                                CHECK(std::abs(sum - at(z, r, o)) <= 30 * tolerance);
                            }
                        }
                    }
                }
            }
        }
    });
}

/// What a step makes of a weight and its velocity.
template <class T>
std::pair<double, double> stepped(Step<T> step, double sum, double weight, double velocity) {
    using Kind = typename Step<T>::Kind;
    const double change = static_cast<double>(step.scale) * sum, mu = step.momentum;
    if (step.kind == Kind::gradient) return {change, velocity};
    if (step.kind == Kind::sgd) return {weight + change, velocity};
    const double v = mu * velocity + change;
    return {step.kind == Kind::momentum ? weight + v : weight + mu * v + change, v};
}

TEST(updates_equal_the_definition) {
    on_every_target([]<class U>(const Kernels<U>& k, double tolerance) {
        using Kind = typename Step<U>::Kind;
        Generator generator(2);
        for (const Kind kind : {Kind::gradient, Kind::sgd, Kind::momentum, Kind::nesterov}) {
            const bool moves = kind == Kind::momentum || kind == Kind::nesterov;
            for (const std::size_t m : {1U, 3U, 10U}) {
                for (const bool sparse : {false, true}) {
                    const std::size_t n = 300, outputs = 70;
                    const std::vector<U> x = sparse_rows<U>(generator, m, n);
                    Panels<U> w = random_panels<U>(generator, n, outputs, k.width);
                    Panels<U> v = random_panels<U>(generator, n, outputs, k.width);
                    Panels<U> d = random_panels<U>(generator, m, outputs, k.width);
                    Panels<U> sums(n, outputs, k.width), w_old(n, outputs, k.width);
                    if (sparse && kind == Kind::gradient) w = Panels<U>(n, outputs, k.width);
                    Panels<U> v_old(n, outputs, k.width);
                    std::copy_n(w.data(), w.size(), w_old.data());
                    std::copy_n(v.data(), v.size(), v_old.data());
                    const Step<U> step{kind, static_cast<U>(-0.25), static_cast<U>(0.5)};
                    const Parameters<U> parameters{w.data(), moves ? v.data() : nullptr,
                                                   sparse && moves ? sums.data() : nullptr,
                                                   w.stride(), w.count()};
                    if (sparse) {
                        const Samples<U> samples({x.data(), m, n});
                        CHECK(samples.sparse());
                        std::vector<SparseRow<U>> rows;
                        for (std::size_t r = 0; r < m; ++r) rows.push_back(samples.row(r));
                        const std::size_t blocks = (n + sparse_block - 1) / sparse_block;
                        // in two parts, as two threads do
                        k.sparse_update(m, n, 1, blocks, rows.data(), d.data(), d.stride(),
                                        parameters, step);
                        k.sparse_update(m, n, 0, 1, rows.data(), d.data(), d.stride(), parameters,
                                        step);
                    } else {
                        const View<U> view{x.data(), n, k.width};
                        const std::size_t middle = 2 * k.width;
                        k.update(m, middle, n, view, d.data(), d.stride(), parameters, step);
                        k.update(m, 0, middle, view, d.data(), d.stride(), parameters, step);
                    }
                    for (std::size_t i = 0; i < n; ++i) {
                        for (std::size_t o = 0; o < outputs; ++o) {
                            double s = 0;
                            for (std::size_t r = 0; r < m; ++r) {
                                s += static_cast<double>(x[r * n + i]) * at(d, r, o);
                            }
                            const auto [weight, velocity] =
                                stepped(step, s, at(w_old, i, o), at(v_old, i, o));
                            CHECK(std::abs(at(w, i, o) - weight) <= 10 * tolerance);
                            CHECK(std::abs(at(v, i, o) - velocity) <= 10 * tolerance);
                            CHECK(at(sums, i, o) == 0);
                        }
                    }
                }
            }
        }
    });
}

TEST(products_of_sparse_rows_equal_the_definition) {
    on_every_target([]<class U>(const Kernels<U>& k, double tolerance) {
        Generator generator(3);
        for (const std::size_t n : {std::size_t{64}, sparse_block - 1, sparse_block,
                                    sparse_block + 1, 3 * sparse_block}) {
            for (const std::size_t outputs : {std::size_t{1}, k.width + 3, 5 * k.width}) {
                const std::size_t m = 7;
                std::vector<U> x = sparse_rows<U>(generator, m, n);
                std::fill_n(x.begin() + static_cast<std::ptrdiff_t>(n), n, U(0));  // an empty row
                Panels<U> w = random_panels<U>(generator, n, outputs, k.width);
                Buffer<U> bias(round_up(outputs, k.width));
                fill(generator, bias.data(), outputs);
                const Samples<U> samples({x.data(), m, n});
                std::vector<SparseRow<U>> rows;
                for (std::size_t r = 0; r < m; ++r) rows.push_back(samples.row(r));
                Panels<U> z(m, outputs, k.width);
                k.sparse_product(m, n, rows.data(), w.data(), w.stride(), w.count(), bias.data(),
                                 z.data(), z.stride());
                for (std::size_t r = 0; r < m; ++r) {
                    for (std::size_t o = 0; o < outputs; ++o) {
                        double sum = bias.data()[o];
                        for (std::size_t i = 0; i < n; ++i) {
                            sum += static_cast<double>(x[r * n + i]) * at(w, i, o);
                        }
                        CHECK(std::abs(sum - at(z, r, o)) <= 60 * tolerance);
                    }
                }
            }
        }
    });
}

TEST(products_of_listed_columns_are_products) {
    on_every_target([]<class U>(const Kernels<U>& k, double) {
        Generator generator(9);
        for (const std::size_t m : {std::size_t{1}, k.list_rows, 3 * k.list_rows + 1}) {
            for (const std::size_t n : {1U, 7U, 64U, 200U, 785U}) {
                const std::size_t outputs = 1 + n % 37;
                std::vector<U> x = sparse_rows<U>(generator, m, n);
                for (U& value : x) {
                    if (value == 0 && generator.below(2) == 0) value = -value;
                }
                std::fill_n(x.begin(), std::min(m, k.list_rows) * n, U(0));  // an empty list
                const Panels<U> w = random_panels<U>(generator, n, outputs, k.width);
                Buffer<U> bias(round_up(outputs, k.width));
                fill(generator, bias.data(), outputs);
                std::vector<std::uint32_t> lists((m / k.list_rows + 1) * (n + 1));
                CHECK(k.list_columns(m, n, x.data(), lists.data()));
                for (std::size_t r = 0; r < m; r += k.list_rows) {
                    const std::uint32_t* const list = lists.data() + r / k.list_rows * (n + 1);
                    std::vector<std::uint32_t> expected;
                    for (std::size_t i = 0; i < n; ++i) {
                        bool used = false;
                        for (std::size_t s = r; s < std::min(m, r + k.list_rows); ++s) {
                            used |= x[s * n + i] != 0;
                        }
                        if (used) expected.push_back(static_cast<std::uint32_t>(i));
                    }
                    CHECK(expected == std::vector(list + 1, list + 1 + list[0]));
                }
                Panels<U> z(m, outputs, k.width), full(m, outputs, k.width);
                const auto listed = [&] {
                    return k.listed_product(m, n, x.data(), lists.data(), w.data(), w.stride(),
                                            w.count(), bias.data(), z.data(), z.stride());
                };
                CHECK(listed());
                k.product(m, n, {x.data(), n, k.width}, w.data(), w.stride(), w.count(),
                          bias.data(), full.data(), full.stride());
                CHECK(std::equal(z.data(), z.data() + z.size(), full.data()));
                bias.data()[outputs - 1] = U(-0.0);  // the sums of the empty list
                CHECK(!listed());
                for (const U bad : {U(HUGE_VAL), U(-HUGE_VAL), U(std::nan(""))}) {
                    x[m * n - 1] = bad;
                    CHECK(!k.list_columns(m, n, x.data(), lists.data()));
                }
            }
        }
    });
}

TEST(transposes_are_exact) {
    on_every_target([]<class U>(const Kernels<U>& k, double) {
        Generator generator(4);
        for (const std::size_t rows : {1U, 31U, 32U, 75U}) {
            for (const std::size_t columns : {1U, 33U, 64U}) {
                Panels<U> w = random_panels<U>(generator, rows, columns, k.width);
                Panels<U> t(columns, rows, k.width);
                // in two parts, as two threads do
                const std::size_t middle = round_up(rows / 2, k.width);
                k.transpose(0, middle, columns, w.data(), w.width(), w.stride(), t.data(),
                            t.width(), t.stride());
                k.transpose(middle, rows, columns, w.data(), w.width(), w.stride(), t.data(),
                            t.width(), t.stride());
                for (std::size_t r = 0; r < rows; ++r) {
                    for (std::size_t c = 0; c < columns; ++c) CHECK(at(t, c, r) == at(w, r, c));
                }
            }
        }
    });
}

TEST(narrow_panels_give_the_bits_of_wide_ones) {
    on_every_target([]<class U>(const Kernels<U>& k, double) {
        using Kind = typename Step<U>::Kind;
        Generator generator(9);
        for (const std::size_t outputs : {1U, 3U, 4U, 5U, 8U, 9U, 16U}) {
            const std::size_t width = panel_width(k, outputs), n = 3 * k.width - 2, m = 11;
            CHECK(width >= outputs || width == k.width);
            if (width == k.width) continue;
            const auto narrow = [&](Panels<U>& wide) {
                Panels<U> copy(wide.rows(), wide.columns(), width, k.width);
                for (std::size_t r = 0; r < wide.rows(); ++r) {
                    for (std::size_t c = 0; c < outputs; ++c) at(copy, r, c) = at(wide, r, c);
                }
                return copy;
            };
            const auto same = [&](Panels<U>& a, Panels<U>& b) {
                for (std::size_t r = 0; r < a.rows(); ++r) {
                    for (std::size_t c = 0; c < outputs; ++c) CHECK(at(a, r, c) == at(b, r, c));
                    for (std::size_t c = outputs; c < width; ++c) CHECK(b.at(0, r)[c] == 0);
                }
            };
            Panels<U> w = random_panels<U>(generator, n, outputs, k.width), nw = narrow(w);
            Panels<U> v = random_panels<U>(generator, n, outputs, k.width), nv = narrow(v);
            Panels<U> d = random_panels<U>(generator, m, outputs, k.width), nd = narrow(d);
            Panels<U> z(m, outputs, k.width), nz = narrow(z);
            Panels<U> a = random_panels<U>(generator, m, n, k.width);
            Buffer<U> bias(k.width), narrow_bias(k.width), velocity(k.width), nvelocity(k.width);
            fill(generator, bias.data(), outputs);
            std::copy_n(bias.data(), outputs, narrow_bias.data());
            for (const bool biased : {false, true}) {
                k.product(m, n, a.view(), w.data(), w.stride(), 1, biased ? bias.data() : nullptr,
                          z.data(), z.stride());
                k.narrow_product(width, m, n, a.view(), nw.data(),
                                 biased ? narrow_bias.data() : nullptr, nz.data());
                same(z, nz);
            }
            static constexpr U one[1] = {1};
            for (const Kind kind : {Kind::gradient, Kind::sgd, Kind::momentum, Kind::nesterov}) {
                const bool moves = kind == Kind::momentum || kind == Kind::nesterov;
                const Step<U> step{kind, static_cast<U>(-0.25), static_cast<U>(0.5)};
                k.update(m, 0, n, a.view(), d.data(), d.stride(),
                         {w.data(), moves ? v.data() : nullptr, nullptr, w.stride(), 1}, step);
                k.update(m, 0, 1, {one, 0, 0}, d.data(), d.stride(),
                         {bias.data(), moves ? velocity.data() : nullptr, nullptr, k.width, 1},
                         step);
                Parameters<U> part{nw.data(), moves ? nv.data() : nullptr, nullptr, nw.stride(), 1};
                // in two parts, as two threads do
                k.narrow_update(width, m, k.width, n, a.view(), nd.data(), part, step);
                part.biases = narrow_bias.data();
                if (moves) part.bias_velocity = nvelocity.data();
                k.narrow_update(width, m, 0, k.width, a.view(), nd.data(), part, step);
                same(w, nw);
                same(v, nv);
                for (std::size_t c = 0; c < outputs; ++c) {
                    CHECK(bias.data()[c] == narrow_bias.data()[c]);
                }
            }
            // from and into panels of every width
            for (const std::size_t below : {std::size_t{4}, k.width / 2, k.width}) {
                if (below < 4 || (below < k.width && below != panel_width(k, below))) continue;
                const std::size_t rows = below == k.width ? n : below - 1;
                Panels<U> from = random_panels<U>(generator, rows, outputs, k.width);
                Panels<U> narrow_from = narrow(from), to(outputs, rows, below, k.width);
                k.transpose(0, rows, outputs, narrow_from.data(), width, narrow_from.stride(),
                            to.data(), below, to.stride());
                for (std::size_t r = 0; r < rows; ++r) {
                    for (std::size_t c = 0; c < outputs; ++c) {
                        CHECK(at(to, c, r) == at(from, r, c));
                    }
                }
            }
        }
    });
}

TEST(unknown_instruction_sets_are_refused) {
    CHECK(!supported_isas().empty());
    CHECK(kernels<float>("").name == supported_isas().front());
    CHECK_THROWS(kernels<float>("sse9"), std::invalid_argument);
}

TEST(random_numbers_have_their_distribution) {
    Generator generator(5);
    double sum = 0, squares = 0, fourths = 0;
    const int n = 200'000;
    for (int k = 0; k < n / 2; ++k) {
        const auto [x, y] = generator.normal_pair();
        for (const double v : {x, y}) {
            sum += v;
            squares += v * v;
            fourths += v * v * v * v;
        }
    }
    CHECK(std::abs(sum / n) < 0.01);
    CHECK(std::abs(squares / n - 1) < 0.015);
    CHECK(std::abs(fourths / n - 3) < 0.1);
    std::vector<int> counts(7);
    for (int k = 0; k < 70'000; ++k) ++counts[generator.below(7)];
    for (const int count : counts) CHECK(std::abs(count - 10'000) < 500);
}
