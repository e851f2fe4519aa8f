#include "theorem3_worst_case.hpp"

#include <algorithm>
#include <vector>

#include "blocks.hpp"

namespace exactnet::exact {
namespace {

/// The rational t_{i,j} and y_{i,j} with the article's sentinels at j = -1 and j = depth.
struct Oriented {
    const Blocks<Rational>& data;

    const Rational& boundary(std::size_t i, bool far) const {
        return data.breaks[(i % 2 == 0) == far ? i + 1 : i];
    }
    Rational t(std::size_t i, std::ptrdiff_t j) const {
        const auto depth = static_cast<std::ptrdiff_t>(data.depth);
        const Rational half = Rational(1) / Rational(2);
        if (j < 0) return (data.t_at(i, 0) + boundary(i, false)) * half;
        if (j == depth) return (data.t_at(i, data.depth - 1) + boundary(i, true)) * half;
        return data.t_at(i, static_cast<std::size_t>(j));
    }
    Rational y(std::size_t i, std::size_t j) const {
        if (j < data.depth) return data.y_at(i, j);
        return (boundary(i, true) + data.y_at(i, data.depth - 1)) / Rational(2);
    }
};

}  // namespace

Theorem3 construct_worst_case(std::span<const Rational> t, std::span<const Rational> y,
                              std::size_t a2, base::Monitor& monitor) {
    Blocks<Rational> data =
        cut(std::vector<Rational>(t.begin(), t.end()), std::vector<Rational>(y.begin(), y.end()),
            used_widths(t.size(), a2), monitor);
    const std::size_t p = data.blocks, q = data.depth;
    data.breaks.push_back(block_low(data, 0) - Rational(1));
    for (std::size_t i = 1; i < p; ++i) {
        data.breaks.push_back((block_high(data, i - 1) + block_low(data, i)) / Rational(2));
    }
    data.breaks.push_back(block_high(data, p - 1) + Rational(1));
    const Oriented at{data};

    Theorem3 result;
    result.blocks = p;
    result.depth = q;
    result.breakpoints.assign(data.breaks.begin(), data.breaks.end() - 1);
    Rational base = data.y_at(0, 0);
    for (std::size_t i = 1; i < p; ++i) base = std::min(base, data.y_at(i, 0));
    base -= Rational(1);
    result.output_bias = base;

    // G_j as its value and slope at every breakpoint; G_0 is constant.
    std::vector<Rational> values(p, base), slopes(p), kinks(p);
    const auto g = [&](std::size_t i, const Rational& x) {
        return values[i] + slopes[i] * (x - data.breaks[i]);
    };
    monitor.begin(2 * p * q);
    for (std::size_t j = 0; j < q; ++j) {
        const auto index = static_cast<std::ptrdiff_t>(j);
        const bool plus = j % 2 == 0;
        Rational c, product(1);
        for (std::size_t i = 0; i < p; ++i) {
            monitor.step();
            const Rational x = at.t(i, index), before = at.t(i, index - 1),
                           after = at.t(i, index + 1);
            const Rational m = std::max(before, x);
            const Rational left = m - data.breaks[i];
            const Rational d = abs(data.y_at(i, j) - g(i, x));
            const Rational d_after = abs(at.y(i, j + 1) - g(i, after));
            const Rational k = Rational(1) + std::max({d, left * d / abs(x - before),
                                                       left * d_after / abs(after - x)});
            c = i == 0 ? product * k : std::max(c, product * k);
            product *= left / (data.breaks[i + 1] - m);
        }
        Rational value = plus ? values[0] - c : values[0] + c;
        result.biases.push_back(plus ? value - values[0] : values[0] - value);
        Rational previous_slope;
        for (std::size_t i = 0; i < p; ++i) {
            monitor.step();
            const Rational slope = (data.y_at(i, j) - value) / (data.t_at(i, j) - data.breaks[i]);
            const Rational kink = slope - previous_slope;
            result.weights.push_back(plus ? kink - kinks[i] : kinks[i] - kink);
            kinks[i] = kink;
            values[i] = value;
            slopes[i] = slope;
            value += slope * (data.breaks[i + 1] - data.breaks[i]);
            previous_slope = slope;
        }
        result.output_weights.push_back(Rational(plus ? 1 : -1));
    }
    return result;
}

}  // namespace exactnet::exact
