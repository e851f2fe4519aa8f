#include <random>
#include <stdexcept>

#include "check.hpp"
#include "exact/evaluate.hpp"

using namespace exactnet::exact;

namespace {

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
            CHECK(outputs == predict(network, small, n_threads, monitor));
            const std::size_t m = sizes.back();
            for (std::size_t r = 0; r < points.rows; ++r) {
                const auto expected = plain(network, points, r);
                for (std::size_t o = 0; o < m; ++o) CHECK(outputs[r * m + o] == expected[o]);
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
