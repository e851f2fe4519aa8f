#include <random>
#include <stdexcept>

#include "check.hpp"
#include "exact/evaluate.hpp"
#include "exact/fixed_width.hpp"
#include "exact/prepared.hpp"

using namespace exactnet::exact;

namespace {

constexpr Way all_ways[] = {Way::best, Way::line, Way::floats, Way::words, Way::numbers};

std::mt19937 generator(7);

long below(unsigned n) { return static_cast<long>(generator() % n); }

Rational random_rational(unsigned high) {
    return Rational(Integer(below(2 * high) - static_cast<long>(high)), Integer(1 + below(high)));
}

Network random_network(const std::vector<std::size_t>& sizes, unsigned high, bool collinear) {
    Network network;
    for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
        Layer layer{sizes[l + 1], sizes[l], {}, {}, Activation::relu};
        for (std::size_t k = 0; k < layer.outputs; ++k) {
            const Rational multiple = random_rational(high);
            for (std::size_t i = 0; i < layer.inputs; ++i) {
                const bool copy = collinear && l == 0 && k > 0;
                layer.weights.push_back(copy ? multiple * layer.weights[i] : random_rational(high));
            }
            layer.biases.push_back(random_rational(high));
        }
        if (l + 2 == sizes.size() || below(4) == 0) layer.activation = Activation::linear;
        network.push_back(std::move(layer));
    }
    return network;
}

Integer power_of_two(std::size_t exponent) {
    Integer value = 1;
    mpz_mul_2exp(value.get(), value.get(), exponent);
    return value;
}

/// 0, a small integer, or a binary fraction of at most `bits` bits times up to 2^+-scale.
Rational random_dyadic(unsigned bits, unsigned scale) {
    if (below(4) == 0) return Rational(below(7) - 3);
    Integer numerator = 1 + below(2);
    for (long b = below(bits); b > 0; --b) numerator = numerator + numerator + Integer(below(2));
    if (below(2) == 0) numerator = -numerator;
    const Integer factor = power_of_two(static_cast<std::size_t>(below(scale + 1)));
    return below(2) == 0 ? Rational(numerator * factor) : Rational(numerator, factor);
}

/// The definition, in rationals.
std::vector<Rational> plain(const Network& network, const Table& points, std::size_t row) {
    std::vector<Rational> h;
    for (std::size_t c = 0; c < points.cols; ++c) {
        h.emplace_back(points.numerator(row, c), points.denominators[c]);
    }
    for (const Layer& layer : network) {
        std::vector<Rational> z = layer.biases;
        for (std::size_t k = 0; k < layer.outputs; ++k) {
            for (std::size_t i = 0; i < layer.inputs; ++i) z[k] += layer.weight(k, i) * h[i];
            if (layer.activation == Activation::relu && z[k].sign() < 0) z[k] = Rational();
        }
        h = std::move(z);
    }
    return h;
}

}  // namespace

TEST(evaluation_equals_the_definition) {
    for (int k = 0; k < 300; ++k) {
        std::vector<std::size_t> sizes;
        for (long l = 2 + below(4); l > 0; --l)
            sizes.push_back(static_cast<std::size_t>(1 + below(5)));
        // 3: small denominators, 1 << 20: common denominators that grow too long to be fixed
        const Network network = random_network(sizes, k % 3 == 0 ? 1U << 20 : 3, k % 2 == 0);
        std::vector<std::int64_t> numerators;
        Table points{30, sizes[0], nullptr, {}, {}};
        for (std::size_t c = 0; c < points.cols; ++c)
            points.denominators.emplace_back(1 + below(3));
        for (std::size_t e = 0; e < points.rows * points.cols; ++e) {
            numerators.push_back(below(40) - 20);
            points.big.emplace_back(static_cast<long>(numerators.back()));
        }
        Table small = points;
        small.big.clear();
        small.small = numerators.data();
        for (const std::size_t n_threads : {1U, 3U}) {
            exactnet::base::Monitor monitor;
            const auto outputs = predict(network, points, n_threads, monitor);
            for (const Way way : all_ways) {
                CHECK(outputs == predict(network, small, n_threads, monitor, way));
                CHECK(outputs == predict(network, points, n_threads, monitor, way));
            }
            const std::size_t m = sizes.back();
            for (std::size_t r = 0; r < points.rows; ++r) {
                const auto expected = plain(network, points, r);
                for (std::size_t o = 0; o < m; ++o) CHECK(outputs[r * m + o] == expected[o]);
            }
        }
    }
}

TEST(all_ways_give_the_same_numbers) {
    const unsigned bits[] = {3, 8, 24, 53, 64, 200}, scales[] = {0, 0, 0, 4, 30, 160};
    std::size_t n_negative = 0, n_positive = 0;
    for (int k = 0; k < 2000; ++k) {
        std::vector<std::size_t> sizes;
        // now and then many layers, or one that takes several panels and blocks of inputs
        const bool deep = k % 20 == 0, wide = k % 20 == 1;
        for (long l = deep ? 9 : 2 + below(3); l > 0; --l) {
            sizes.push_back(static_cast<std::size_t>(1 + below(5)));
        }
        if (wide)
            sizes[static_cast<std::size_t>(below(2))] = static_cast<std::size_t>(below(200)) + 1;
        const unsigned of_weights = bits[below(6)], scale = k % 50 == 2 ? 900 : scales[below(6)];
        const auto value = [&] { return random_dyadic(of_weights, scale); };
        Network network;
        for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
            Layer layer{sizes[l + 1], sizes[l], {}, {}, Activation::relu};
            for (std::size_t e = 0; e < layer.outputs * layer.inputs; ++e) {
                const bool copy = k % 4 == 0 && l == 0 && e >= layer.inputs;  // a common direction
                layer.weights.push_back(copy ? layer.weights[e - layer.inputs] : value());
            }
            for (std::size_t e = 0; e < layer.outputs; ++e) layer.biases.push_back(value());
            if (l + 2 == sizes.size() ? below(4) != 0 : below(4) == 0) {
                layer.activation = Activation::linear;
            }
            network.push_back(std::move(layer));
        }
        const unsigned of_points = bits[below(6)];
        Table points{static_cast<std::size_t>(1 + below(wide ? 3 : 8)), sizes[0], nullptr, {}, {}};
        for (std::size_t c = 0; c < points.cols; ++c) {
            const bool power = below(2) == 0;
            points.denominators.push_back(power ? power_of_two(static_cast<std::size_t>(below(40)))
                                                : Integer(1 + below(9)));
        }
        std::vector<std::int64_t> numerators;
        for (std::size_t e = 0; e < points.rows * points.cols; ++e) {
            points.big.push_back(random_dyadic(of_points, 0).numerator());
            numerators.push_back(mpz_get_si(points.big.back().get()));
        }
        exactnet::base::Monitor monitor;
        std::vector<Rational> expected;
        for (std::size_t r = 0; r < points.rows; ++r) {
            for (Rational& output : plain(network, points, r)) {
                n_negative += output.sign() < 0 ? 1 : 0;
                n_positive += output.sign() > 0 ? 1 : 0;
                expected.push_back(std::move(output));
            }
        }
        for (const Way way : all_ways) {
            CHECK(predict(network, points, 1, monitor, way) == expected);
            if (of_points > 53) continue;
            const Table small{points.rows, points.cols, numerators.data(), {}, points.denominators};
            CHECK(predict(network, small, 2, monitor, way) == expected);
        }
    }
    CHECK(n_negative > 1000 && n_positive > 1000);
}

TEST(widths_end_where_they_must) {
    // |w x| + |b| next to powers of two: 2^53, where floats end, 2^52 k, where limbs do, and 2^62
    // ... 2^64, where products of single words would overflow
    for (const std::size_t e : {51U, 52U, 53U, 54U, 62U, 63U, 64U, 103U, 104U, 105U, 156U, 800U}) {
        for (const long sign : {1, -1}) {
            for (long off = -2; off <= 2; ++off) {
                for (const long x : {1L, -1L, 3L, -5L, (1L << 31) + 1}) {
                    const Integer sum = (power_of_two(e) + Integer(off)) * Integer(sign);
                    const Integer weight = floor_div(sum, x), rest = sum - weight * Integer(x);
                    const Network network{
                        {1,
                         2,
                         {Rational(weight), Rational()},
                         {Rational(rest)},
                         Activation::linear},
                        {2, 1, {Rational(3), Rational(-1)}, {Rational(), Rational(1)}, {}}};
                    const std::vector<std::int64_t> numerators{x, 1L << 40};
                    const Table points{1, 2, numerators.data(), {}, {Integer(1), Integer(1)}};
                    exactnet::base::Monitor monitor;
                    for (const Way way : all_ways) {
                        CHECK((predict(network, points, 1, monitor, way) ==
                               std::vector<Rational>{Rational(Integer(3) * sum),
                                                     Rational(Integer(1) - sum)}));
                    }
                    const auto prepared = prepare(network, points, monitor);
                    const auto layers = fix_width(prepared, monitor);
                    FixedWidth block(layers, points, products().back(), monitor);
                    CHECK(block.evaluate(0, 1) == 2);
                    Integer bound = weight * Integer(x);  // its terms have one sign
                    mpz_abs(bound.get(), bound.get());
                    bound += Integer(0) - (rest.sign() < 0 ? rest : -rest);
                    const Integer limit = power_of_two(53);
                    CHECK((block.layers_in_floats() > 0) == (bound < limit && layers[0].in_floats));
                    CHECK((block.layers_in_floats() == 2) == (Integer(3) * bound < limit));
                }
            }
        }
    }
}

TEST(sums_are_bounded_where_they_cancel) {
    // the parts of these sums are larger than the sums
    const long half = 1L << 52;
    const std::vector<std::int64_t> numerators{1, 1};
    const Table points{1, 2, numerators.data(), {}, {Integer(1), Integer(1)}};
    exactnet::base::Monitor monitor;
    for (const long b : {-1L, 0L, 1L}) {
        const Network network{
            {1, 2, {Rational(half), Rational(half - 1)}, {Rational(b)}, Activation::linear}};
        const Network cancelling{
            {1, 2, {Rational(half), Rational(-half)}, {Rational(b)}, Activation::linear}};
        CHECK(predict(network, points, 1, monitor) ==
              std::vector<Rational>{Rational(2 * half - 1 + b)});
        CHECK(predict(cancelling, points, 1, monitor) == std::vector<Rational>{Rational(b)});
        const auto layers = fix_width(prepare(network, points, monitor), monitor);
        FixedWidth block(layers, points, products().back(), monitor);
        CHECK(block.evaluate(0, 1) == 1);
        CHECK(block.layers_in_floats() == (b == 0 ? 1 : 0));
        const auto others = fix_width(prepare(cancelling, points, monitor), monitor);
        FixedWidth other(others, points, products().back(), monitor);
        CHECK(other.evaluate(0, 1) == 1);
        CHECK(other.layers_in_floats() == 0);
    }
}

TEST(products_of_all_instruction_sets_are_the_same) {
    for (const std::size_t outputs : {1U, 8U, 9U, 33U, 71U}) {
        const Network network = random_network({130, outputs, 3}, 1000, false);
        Network integers = network;
        for (Layer& layer : integers) {
            for (Rational& w : layer.weights) w = Rational(w.numerator());
            for (Rational& b : layer.biases) b = Rational(b.numerator());
        }
        std::vector<std::int64_t> numerators;
        for (int e = 0; e < 150 * 130; ++e) numerators.push_back(below(3) == 0 ? below(255) : 0);
        const Table points{150, 130, numerators.data(), {}, std::vector<Integer>(130, Integer(1))};
        exactnet::base::Monitor monitor;
        const auto layers = fix_width(prepare(integers, points, monitor), monitor);
        for (const AddProduct add_product : products()) {
            FixedWidth block(layers, points, add_product, monitor);
            for (std::size_t p = 0; p < points.rows; p += 50) {
                CHECK(block.evaluate(p, 50) == 2);
                CHECK(block.layers_in_floats() == 2);
                for (std::size_t r = 0; r < 50; ++r) {
                    const auto expected = plain(integers, points, p + r);
                    for (std::size_t k = 0; k < 3; ++k) {
                        Integer value;
                        block.get(r, k, value);
                        CHECK(Rational(value) == expected[k]);
                    }
                }
            }
        }
    }
}

TEST(zero_rows_and_zero_weights) {
    const std::vector<std::int64_t> numerators{1, 2, 3, 4};
    const Table points{2, 2, numerators.data(), {}, {Integer(1), Integer(1)}};
    Layer first{3, 2, std::vector<Rational>(6), {Rational(1), Rational(-1), Rational()}, {}};
    first.activation = Activation::relu;
    const Layer last{1, 3, {Rational(2), Rational(5), Rational()}, {Rational(7)}, {}};
    exactnet::base::Monitor monitor;
    CHECK((predict({first, last}, points, 1, monitor) ==
           std::vector<Rational>{Rational(9), Rational(9)}));
    // rows that are multiples of a later one, after a zero row
    first.weights = {Rational(), Rational(), Rational(1), Rational(2), Rational(-2), Rational(-4)};
    for (std::size_t r = 0; r < 2; ++r) {
        CHECK(predict({first, last}, points, 1, monitor)[r] == plain({first, last}, points, r)[0]);
    }
}

TEST(layers_that_do_not_fit_are_refused) {
    const std::vector<std::int64_t> numerators{1, 2};
    const Table points{1, 2, numerators.data(), {}, {Integer(1), Integer(1)}};
    const Layer good{1, 2, std::vector<Rational>(2), std::vector<Rational>(1), {}};
    const Layer narrow{1, 1, std::vector<Rational>(1), std::vector<Rational>(1), {}};
    const Layer short_row{2, 2, std::vector<Rational>(3), std::vector<Rational>(2), {}};
    const Layer no_bias{1, 2, std::vector<Rational>(2), {}, {}};
    exactnet::base::Monitor monitor;
    CHECK(predict({good}, points, 1, monitor).size() == 1);
    CHECK_THROWS(predict({}, points, 1, monitor), std::invalid_argument);
    CHECK_THROWS(predict({narrow}, points, 1, monitor), std::invalid_argument);
    CHECK_THROWS(predict({good, good}, points, 1, monitor), std::invalid_argument);
    CHECK_THROWS(predict({short_row}, points, 1, monitor), std::invalid_argument);
    CHECK_THROWS(predict({no_bias}, points, 1, monitor), std::invalid_argument);
}
