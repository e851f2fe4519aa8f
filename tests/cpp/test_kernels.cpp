#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "check.hpp"
#include "dense/kernels.hpp"
#include "dense/network.hpp"
#include "dense/random.hpp"

using namespace exactnet::dense;

namespace {

/// Runs a body for float and double on every instruction set of this processor.
template <class Body>
void on_every_target(const Body& body) {
    for (const std::string& isa : supported_isas()) {
        body(kernels<float>(isa), 1e-5);
        body(kernels<double>(isa), 1e-13);
    }
}

template <class T>
void fill(Generator& generator, T* data, std::size_t n) {
    for (std::size_t k = 0; k < n; ++k) data[k] = static_cast<T>(generator.symmetric());
}

}  // namespace

TEST(products_equal_the_definition) {
    on_every_target([](const auto& kernels, double tolerance) {
        const auto run = [&]<class U>(const Kernels<U>& k) {
            Generator generator(1);
            for (const std::size_t m : {1U, 2U, 5U, 6U, 7U, 13U, 30U}) {
                for (const std::size_t n : {1U, 3U, 20U, 70U}) {
                    const std::size_t outputs = 1 + n % 37, inputs = 9;
                    Panels<U> w(n, outputs, k.width);
                    for (std::size_t i = 0; i < n; ++i) {
                        for (std::size_t o = 0; o < outputs; ++o) {
                            w.at(i, o) = static_cast<U>(generator.symmetric());
                        }
                    }
                    const std::size_t padded = round_up(outputs, k.width);
                    Buffer<U> bias(padded), z(m * padded);
                    fill(generator, bias.data(), outputs);
                    // every row of a panel, and every second one by an index
                    std::vector<std::uint32_t> index;
                    for (std::uint32_t i = 0; i < n; i += 2) index.push_back(i);
                    for (const bool indexed : {false, true}) {
                        const std::size_t n_k = indexed ? index.size() : n;
                        std::vector<U> a(m * (n_k + inputs));
                        fill(generator, a.data(), a.size());
                        const Inputs<U> in{a.data(), n_k + inputs, 1};
                        k.product(m, n_k, in, indexed ? index.data() : nullptr, w.data(),
                                  w.stride(), w.count(), bias.data(), z.data(), padded);
                        for (std::size_t r = 0; r < m; ++r) {
                            for (std::size_t o = 0; o < outputs; ++o) {
                                double sum = bias.data()[o];
                                for (std::size_t i = 0; i < n_k; ++i) {
                                    sum += static_cast<double>(a[r * in.row_stride + i]) *
                                           w.at(indexed ? index[i] : i, o);
                                }
                                CHECK(std::abs(sum - z.data()[r * padded + o]) <= 30 * tolerance);
                            }
                        }
                    }
                }
            }
        };
        run(kernels);
    });
}

TEST(updates_equal_the_definition) {
    on_every_target([](const auto& kernels, double tolerance) {
        const auto run = [&]<class U>(const Kernels<U>& k) {
            using Kind = typename Step<U>::Kind;
            Generator generator(2);
            for (const Kind kind : {Kind::gradient, Kind::sgd, Kind::momentum, Kind::nesterov}) {
                for (const std::size_t m : {1U, 3U, 10U}) {
                    const std::size_t n = 23, outputs = 40, padded = round_up(outputs, k.width);
                    Panels<U> w(n, outputs, k.width), v(n, outputs, k.width);
                    fill(generator, w.data(), w.size());
                    fill(generator, v.data(), v.size());
                    Panels<U> w_expected(n, outputs, k.width), v_expected(n, outputs, k.width);
                    Buffer<U> a(n * m), d(m * padded);
                    fill(generator, a.data(), a.size());
                    fill(generator, d.data(), d.size());
                    const Step<U> step{kind, static_cast<U>(-0.25), static_cast<U>(0.5)};
                    for (std::size_t i = 0; i < n; ++i) {
                        for (std::size_t o = 0; o < outputs; ++o) {
                            double s = 0;
                            for (std::size_t r = 0; r < m; ++r) {
                                s += static_cast<double>(a.data()[i * m + r]) *
                                     d.data()[r * padded + o];
                            }
                            const double change = -0.25 * s, old = w.at(i, o);
                            const double velocity = 0.5 * v.at(i, o) + change;
                            const bool moves = kind == Kind::momentum || kind == Kind::nesterov;
                            v_expected.at(i, o) = static_cast<U>(moves ? velocity : v.at(i, o));
                            w_expected.at(i, o) = static_cast<U>(
                                kind == Kind::gradient   ? change
                                : kind == Kind::sgd      ? old + change
                                : kind == Kind::momentum ? old + velocity
                                                         : old + 0.5 * velocity + change);
                        }
                    }
                    k.update(m, n, {a.data(), 1, m}, nullptr, d.data(), padded, w.data(), v.data(),
                             w.stride(), w.count(), step);
                    for (std::size_t i = 0; i < n; ++i) {
                        for (std::size_t o = 0; o < outputs; ++o) {
                            CHECK(std::abs(w.at(i, o) - w_expected.at(i, o)) <= 10 * tolerance);
                            CHECK(std::abs(v.at(i, o) - v_expected.at(i, o)) <= 10 * tolerance);
                        }
                    }
                }
            }
        };
        run(kernels);
    });
}

TEST(scans_find_what_is_not_zero) {
    on_every_target([](const auto& kernels, double) {
        const auto run = [&]<class U>(const Kernels<U>& k) {
            const std::vector<U> a{0, 1, 0, -0.0, 0}, b{0, 0, 0, 0, static_cast<U>(-1e-40)};
            const U* const rows[] = {a.data(), b.data()};
            std::vector<Bits<U>> flags(5, 7);
            k.scan(rows, 2, 5, flags.data());
            const std::vector<bool> expected{false, true, false, false, true};
            for (std::size_t i = 0; i < 5; ++i) CHECK((flags[i] != 0) == expected[i]);
        };
        run(kernels);
    });
}

TEST(unknown_instruction_sets_are_refused) {
    CHECK(!supported_isas().empty());
    CHECK(kernels<float>("").name == supported_isas().front());
    CHECK_THROWS(kernels<float>("sse9"), std::invalid_argument);
}

TEST(the_generator_gives_the_published_numbers) {
    // the first outputs of SplitMix64 for the state 1234567
    Generator generator(1234567);
    CHECK(generator.next() == 6457827717110365317ULL);
    CHECK(generator.next() == 3203168211198807973ULL);
    CHECK(generator.next() == 9817491932198370423ULL);
    Generator resumed(generator.state());
    CHECK(resumed.next() == generator.next());
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
