#include <random>
#include <stdexcept>

#include "check.hpp"
#include "exact/theorem3.hpp"

using namespace exactnet::exact;

namespace {

/// The network's output at t, by its definition.
Rational output_at(const Theorem3& net, const Rational& t) {
    const auto relu = [](const Rational& z) { return z.sign() > 0 ? z : Rational(); };
    Rational output = net.output_bias;
    for (std::size_t j = 0; j < net.depth; ++j) {
        Rational z = net.biases[j];
        for (std::size_t i = 0; i < net.blocks; ++i) {
            z += net.weights[j * net.blocks + i] * relu(t - net.breakpoints[i]);
        }
        output += net.output_weights[j] * relu(z);
    }
    return output;
}

}  // namespace

TEST(every_point_is_reproduced) {
    std::mt19937 generator(3);
    const auto below = [&](unsigned n) { return static_cast<long>(generator() % n); };
    for (int k = 0; k < 400; ++k) {
        const auto a1 = static_cast<std::size_t>(1 + below(6));
        const auto a2 = static_cast<std::size_t>(1 + below(6));
        const auto n = static_cast<std::size_t>(1 + below(static_cast<unsigned>(a1 * a2)));
        const long divisor = 1 + below(4);
        std::vector<Rational> t, y;
        Rational last = -20;
        for (std::size_t p = 0; p < n; ++p) {
            last += Rational(1 + below(9)) / Rational(divisor);
            t.push_back(last);
            y.push_back(Rational(below(30) - 15) / Rational(1 + below(3)));
        }
        std::shuffle(t.begin(), t.end(), generator);
        for (const Scale scale : {Scale::least, Scale::worst_case}) {
            for (const std::size_t n_threads : {1U, 3U}) {
                exactnet::base::Monitor monitor;
                const std::vector<std::vector<Rational>> components{y, t, y};
                const auto nets =
                    construct_theorem3(t, components, a1, a2, scale, n_threads, monitor);
                CHECK(nets.size() == 3);
                for (std::size_t l = 0; l < 3; ++l) {
                    CHECK(nets[l].blocks <= a1 && nets[l].depth <= a2);
                    CHECK(nets[l].breakpoints == nets[0].breakpoints);
                    for (std::size_t p = 0; p < n; ++p) {
                        CHECK(output_at(nets[l], t[p]) == components[l][p]);
                    }
                }
            }
        }
    }
}

TEST(wrong_sizes_and_equal_t_are_refused) {
    exactnet::base::Monitor monitor;
    const std::vector<Rational> two{Rational(1), Rational(2)}, equal{Rational(1), Rational(1)};
    const auto build = [&](const std::vector<Rational>& t, const std::vector<Rational>& y,
                           std::size_t a1, std::size_t a2) {
        const std::vector<std::vector<Rational>> components{y};
        return construct_theorem3(t, components, a1, a2, Scale::least, 1, monitor);
    };
    CHECK_THROWS(build({}, {}, 1, 1), std::invalid_argument);
    CHECK_THROWS(build(two, {Rational(1)}, 1, 2), std::invalid_argument);
    CHECK_THROWS(build(two, two, 1, 1), std::invalid_argument);
    CHECK_THROWS(build(two, two, 2, 0), std::invalid_argument);
    CHECK_THROWS(build(equal, two, 1, 2), std::invalid_argument);
    CHECK_THROWS(build(equal, two, 2, 1), std::invalid_argument);
}

TEST(the_predicted_size_is_of_the_right_order) {
    std::mt19937 generator(4);
    std::vector<Rational> t, y;
    long last = 0;
    for (int p = 0; p < 1600; ++p) {
        t.emplace_back(last += 1 + static_cast<long>(generator() % 1000));
        y.emplace_back(static_cast<long>(generator() % 100));
    }
    for (const Scale scale : {Scale::least, Scale::worst_case}) {
        exactnet::base::Monitor monitor;
        const std::vector<std::vector<Rational>> components{y};
        const Theorem3 net = construct_theorem3(t, components, 40, 40, scale, 1, monitor).front();
        double bits = 0;
        for (const Rational& w : net.weights) {
            bits += static_cast<double>(w.numerator().bits() + w.denominator().bits());
        }
        const double predicted = predict_theorem3_bytes(t, y, 40, 40, scale, monitor);
        CHECK(predicted > bits / 8 / 2);
        CHECK(predicted < bits / 8 * 2);
    }
}
