#include "theorem3.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "theorem3_least.hpp"
#include "theorem3_worst_case.hpp"

namespace exactnet::exact {
namespace {

void check_sizes(std::size_t n_t, std::size_t n_y, std::size_t a1, std::size_t a2) {
    if (n_t != n_y || n_t == 0 || a2 == 0 || (n_t - 1) / a2 + 1 > a1) {
        throw std::invalid_argument(
            "construct_theorem3: 1 <= len(t) = len(y) <= a1 * a2 is needed");
    }
}

}  // namespace

std::vector<Theorem3> construct_theorem3(std::span<const Rational> t,
                                         std::span<const std::vector<Rational>> components,
                                         std::size_t a1, std::size_t a2, Scale scale,
                                         std::size_t n_threads, base::Monitor& monitor) {
    if (components.empty()) throw std::invalid_argument("construct_theorem3: no targets");
    for (const std::vector<Rational>& y : components) check_sizes(t.size(), y.size(), a1, a2);
    if (scale == Scale::least) return construct_least(t, components, a2, n_threads, monitor);
    std::vector<Theorem3> results;
    for (const std::vector<Rational>& y : components) {
        results.push_back(construct_worst_case(t, y, a2, monitor));
    }
    return results;
}

double predict_theorem3_bytes(std::span<const Rational> t, std::span<const Rational> y,
                              std::size_t a1, std::size_t a2, Scale scale, base::Monitor& monitor) {
    check_sizes(t.size(), y.size(), a1, a2);
    const IntegerProblem problem = integer_problem(t, y, a2, monitor);
    const Blocks<Integer>& data = problem.data;
    const auto log2 = [](const Integer& value) {
        long exponent = 0;
        const double mantissa = mpz_get_d_2exp(&exponent, value.get());
        return mantissa == 0 ? 0.0 : std::log2(std::abs(mantissa)) + static_cast<double>(exponent);
    };
    // A weight of row j and column i has the gaps of both its functions, up to block i, in its
    // denominator, and a numerator of about that size.
    double bits = 0;
    for (std::size_t j = 0; j < data.depth; ++j) {
        double denominator = 0;
        for (std::size_t i = 0; i < data.blocks; ++i) {
            monitor.step(0);
            denominator += log2(data.t_at(i, j) - data.breaks[i]);
            bits += (j + 1 < data.depth ? 2 : 1) * 2 * denominator;
        }
    }
    // Targets reach every numerator, and their unit and offset the output layer.
    const auto target_bits =
        static_cast<double>(std::max_element(data.y.begin(), data.y.end())->bits());
    const auto unit_bits = static_cast<double>(mpz_sizeinbase(problem.y_unit.num(), 2) +
                                               mpz_sizeinbase(problem.y_unit.den(), 2));
    bits += target_bits * static_cast<double>((data.blocks + 1) * data.depth);
    bits += unit_bits * static_cast<double>(data.depth + 1);
    // The article's constants are built on one another, so that row j carries the gaps of the
    // functions before it; measured from 3 x 3 to 40 x 40.
    if (scale == Scale::worst_case) bits *= 1.0 + static_cast<double>(data.depth) / 3;
    return bits / 8;
}

}  // namespace exactnet::exact
