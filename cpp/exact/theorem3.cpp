#include "theorem3.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace exactnet::exact {
namespace {

/// The points in order of t, cut into `blocks` blocks of `depth` consecutive ones, padded on the
/// right. Inside a block they stand in its orientation: ascending in even blocks, descending in odd
/// ones. `Value` is Integer (scale least, in units of its own) or Rational (worst_case).
template <class Value>
struct Blocks {
    std::size_t blocks = 0;
    std::size_t depth = 0;
    std::vector<Value> t;       // [block * depth + index in orientation]
    std::vector<Value> y;       // likewise
    std::vector<Value> breaks;  // blocks + 1; the last one is a boundary, not a neuron

    const Value& t_at(std::size_t i, std::size_t j) const { return t[i * depth + j]; }
    const Value& y_at(std::size_t i, std::size_t j) const { return y[i * depth + j]; }
};

struct Widths {
    std::size_t blocks;
    std::size_t depth;
};

/// As few blocks as a2 allows, because parameters grow with the number of blocks; then no deeper
/// than needed.
Widths used_widths(std::size_t n, std::size_t a2) {
    const std::size_t blocks = (n - 1) / a2 + 1;  // no sum that may overflow
    return {blocks, (n - 1) / blocks + 1};
}

template <class Value>
std::vector<std::size_t> sorted_order(const std::vector<Value>& t, base::Monitor& monitor) {
    std::vector<std::size_t> order(t.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    base::sort(order.begin(), order.end(), monitor,
               [&](std::size_t a, std::size_t b) { return t[a] < t[b]; });
    for (std::size_t k = 1; k < order.size(); ++k) {
        if (t[order[k - 1]] == t[order[k]]) {
            throw std::invalid_argument("construct_theorem3: the values of t must differ");
        }
    }
    return order;
}

/// Sorts, pads with virtual points one unit apart (the last target again), cuts and orients.
template <class Value>
Blocks<Value> cut(const std::vector<Value>& t, const std::vector<Value>& y, Widths widths,
                  base::Monitor& monitor) {
    std::vector<Value> ts, ys;
    for (const std::size_t p : sorted_order(t, monitor)) {
        monitor.step(0);
        ts.push_back(t[p]);
        ys.push_back(y[p]);
    }
    while (ts.size() < widths.blocks * widths.depth) {
        ts.push_back(ts.back() + Value(1));
        ys.push_back(Value(ys.back()));
    }
    for (std::size_t i = 1; i < widths.blocks; i += 2) {
        const auto begin = static_cast<std::ptrdiff_t>(i * widths.depth);
        const auto end = begin + static_cast<std::ptrdiff_t>(widths.depth);
        std::reverse(ts.begin() + begin, ts.begin() + end);
        std::reverse(ys.begin() + begin, ys.begin() + end);
    }
    return {widths.blocks, widths.depth, std::move(ts), std::move(ys), {}};
}

/// The least and the greatest t of block i.
template <class Value>
const Value& block_low(const Blocks<Value>& b, std::size_t i) {
    return b.t_at(i, i % 2 == 0 ? 0 : b.depth - 1);
}
template <class Value>
const Value& block_high(const Blocks<Value>& b, std::size_t i) {
    return b.t_at(i, i % 2 == 0 ? b.depth - 1 : 0);
}

// ---------------------------------------------------------------- scale "least"

/// The data in integers: t = (integer) * t_unit and y = y_offset + (integer) * y_unit.
struct IntegerProblem {
    Blocks<Integer> data;
    Rational t_unit;
    Rational y_unit;
    Rational y_offset;
    Integer base;  // C: the constant function G_0, below every block's first target
};

Integer common_denominator(std::span<const Rational> values, base::Monitor& monitor) {
    Integer common = 1;
    for (const Rational& value : values) {
        monitor.step(0);
        if (mpz_cmp_ui(value.den(), 1) != 0) common = lcm(common, value.denominator());
    }
    return common;
}

Integer scaled(const Rational& value, const Integer& factor) {
    Integer result;
    mpz_divexact(result.get(), factor.get(), value.den());
    mpz_mul(result.get(), result.get(), value.num());
    return result;
}

IntegerProblem integer_problem(std::span<const Rational> t, std::span<const Rational> y,
                               std::size_t a2, base::Monitor& monitor) {
    const Widths widths = used_widths(t.size(), a2);
    Integer t_factor = common_denominator(t, monitor);
    std::vector<Integer> ts;
    for (const Rational& value : t) {
        monitor.step(0);
        ts.push_back(scaled(value, t_factor));
    }

    const Integer y_factor = common_denominator(y, monitor);
    std::vector<Integer> ys;
    for (const Rational& value : y) {
        monitor.step(0);
        ys.push_back(scaled(value, y_factor));
    }
    const Integer y_low = *std::min_element(ys.begin(), ys.end());
    Integer y_step;
    for (const Integer& value : ys) {
        monitor.step(0);
        y_step = gcd(y_step, value - y_low);
    }
    if (y_step.sign() == 0) y_step = 1;
    for (Integer& value : ys) {
        monitor.step(0);
        value = exact_div(value - y_low, y_step);
    }

    IntegerProblem problem;
    problem.data = cut(ts, ys, widths, monitor);
    Blocks<Integer>& data = problem.data;
    // A breakpoint must lie strictly between two blocks: half-way, rounded down, or on a half where
    // the blocks are neighbours; everything then counts in halves.
    Integer unit = 1;
    data.breaks.push_back(block_low(data, 0) - Integer(1));
    for (std::size_t i = 1; i < data.blocks; ++i) {
        const Integer &before = block_high(data, i - 1), &after = block_low(data, i);
        data.breaks.push_back(floor_div(before + after, Integer(2)));
        if (data.breaks.back() == before) unit = 2;
    }
    data.breaks.push_back(block_high(data, data.blocks - 1) + Integer(1));
    if (!unit.is_one()) {
        for (Integer& value : data.t) {
            monitor.step(0);
            value *= unit;
        }
        for (Integer& value : data.breaks) value *= unit;
        for (std::size_t i = 1; i < data.blocks; ++i) {
            if (data.breaks[i] == block_high(data, i - 1)) data.breaks[i] += Integer(1);
        }
        t_factor *= unit;
    }

    problem.t_unit = Rational(Integer(1), t_factor);
    problem.y_unit = Rational(y_step, y_factor);
    problem.y_offset = Rational(y_low, y_factor);
    problem.base = data.y_at(0, 0);
    for (std::size_t i = 1; i < data.blocks; ++i) {
        problem.base = std::min(problem.base, data.y_at(i, 0));
    }
    problem.base -= Integer(1);
    return problem;
}

/// One of the piecewise-linear functions G: its value at the first breakpoint and its changes of
/// slope, per unit of the original t, at every breakpoint.
struct PiecewiseLinear {
    Integer start;
    std::vector<Rational> kinks;
};

/// G_{j+1}: through the j-th point of every block and through (B_0, -sigma c), with c the least
/// integer for which neuron j switches on between points j - 1 and j of every block. With
/// v_i = G(B_i) = (A_i - sigma (-1)^i R_i c) / P_i everything below is integer arithmetic, big
/// numbers times small ones.
class ColumnBuilder {
   public:
    ColumnBuilder(const IntegerProblem& problem, base::Monitor& monitor)
        : problem_(problem), data_(problem.data), monitor_(monitor) {}

    PiecewiseLinear build(std::size_t j) {
        const Integer c = least_constant(j);
        return through_points(j, j % 2 == 0 ? -c : c);
    }

   private:
    Integer least_constant(std::size_t j) {
        const int sigma = j % 2 == 0 ? 1 : -1;
        Integer a, p = 1, r = 1;  // A_i, P_i and R_i
        bool bounded = false;
        Integer least = 1;  // of columns of single points, which no condition bounds
        const auto require = [&](Integer bound) {
            if (!bounded || bound > least) least = std::move(bound);
            bounded = true;
        };
        Integer excess, divisor;
        for (std::size_t i = 0; i < data_.blocks; ++i) {
            monitor_.step();
            const Integer& t = data_.t_at(i, j);
            const Integer& y = data_.y_at(i, j);
            const Integer gap = t - data_.breaks[i];
            // sigma P_i gap (G - other_y) at other_t is excess + (sign) |other_t - t| R_i c.
            const auto compare_at = [&](const Integer& other_t, const Integer& other_y) {
                const Integer step = other_t - t;
                excess = p * ((y - other_y) * gap + y * step);
                mpz_submul(excess.get(), a.get(), step.get());
                if (sigma < 0) mpz_neg(excess.get(), excess.get());
                mpz_abs(divisor.get(), step.get());
                divisor *= r;
            };
            if (j > 0) {  // not yet active one point earlier
                compare_at(data_.t_at(i, j - 1), data_.y_at(i, j - 1));
                require(ceil_div(excess, divisor));
            }
            if (j + 1 < data_.depth) {  // overshoots the next point
                compare_at(data_.t_at(i, j + 1), data_.y_at(i, j + 1));
                require(floor_div(-excess, divisor) + Integer(1));
            }
            if (j == 0 && data_.depth > 1) {  // once active, active to the end of the block
                compare_at(data_.t_at(i, data_.depth - 1), problem_.base);
                require(ceil_div(-excess, divisor));
            }
            if (i + 1 == data_.blocks) break;
            const Integer length = data_.breaks[i + 1] - data_.breaks[i];
            const Integer rest = data_.breaks[i + 1] - t;
            a *= -rest;
            mpz_addmul(a.get(), p.get(), Integer(y * length).get());
            p *= gap;
            r *= rest;
        }
        return least;
    }

    PiecewiseLinear through_points(std::size_t j, const Integer& start) {
        PiecewiseLinear g{start, {}};
        g.kinks.reserve(data_.blocks);
        // v_i = v / p; the slope in block i is slope / (p * gap).
        Integer v = start, p = 1, slope, previous_slope;
        for (std::size_t i = 0; i < data_.blocks; ++i) {
            monitor_.step();
            const Integer& t = data_.t_at(i, j);
            const Integer& y = data_.y_at(i, j);
            const Integer gap = t - data_.breaks[i];
            slope = y * p;
            slope -= v;
            Integer kink = slope;
            mpz_submul(kink.get(), previous_slope.get(), gap.get());
            mpz_mul(kink.get(), kink.get(), problem_.t_unit.den());
            if (i + 1 < data_.blocks) {
                const Integer length = data_.breaks[i + 1] - data_.breaks[i];
                v *= t - data_.breaks[i + 1];
                mpz_addmul(v.get(), p.get(), Integer(y * length).get());
            }
            p *= gap;
            g.kinks.emplace_back(kink, p);
            std::swap(previous_slope, slope);
        }
        return g;
    }

    const IntegerProblem& problem_;
    const Blocks<Integer>& data_;
    base::Monitor& monitor_;
};

/// A result with all but the weights and biases of the second layer.
Theorem3 prepare_least(const IntegerProblem& problem) {
    const Blocks<Integer>& data = problem.data;
    Theorem3 result;
    result.blocks = data.blocks;
    result.depth = data.depth;
    for (std::size_t i = 0; i < data.blocks; ++i) {
        result.breakpoints.push_back(Rational(data.breaks[i]) * problem.t_unit);
    }
    result.weights.resize(data.blocks * data.depth);
    result.biases.resize(data.depth);
    for (std::size_t j = 0; j < data.depth; ++j) {
        result.output_weights.push_back(j % 2 == 0 ? problem.y_unit : -problem.y_unit);
    }
    result.output_bias = problem.y_offset + Rational(problem.base) * problem.y_unit;
    return result;
}

/// Rows begin ... end - 1 of the second layer. They need the column before them, too.
void fill_least(const IntegerProblem& problem, std::size_t begin, std::size_t end, Theorem3& result,
                base::Monitor& monitor) {
    const std::size_t p = result.blocks;
    ColumnBuilder builder(problem, monitor);
    PiecewiseLinear previous = begin == 0 ? PiecewiseLinear{problem.base, std::vector<Rational>(p)}
                                          : builder.build(begin - 1);
    for (std::size_t j = begin; j < end; ++j) {
        PiecewiseLinear current = builder.build(j);
        const bool plus = j % 2 == 0;
        for (std::size_t i = 0; i < p; ++i) {
            monitor.step();
            const auto &hi = plus ? current : previous, &lo = plus ? previous : current;
            mpq_sub(result.weights[j * p + i].get(), hi.kinks[i].get(), lo.kinks[i].get());
        }
        result.biases[j] =
            Rational(plus ? current.start - previous.start : previous.start - current.start);
        previous = std::move(current);
    }
}

/// One result per component of the targets.
std::vector<Theorem3> construct_least(std::span<const Rational> t,
                                      std::span<const std::vector<Rational>> components,
                                      std::size_t a2, std::size_t n_threads,
                                      base::Monitor& monitor) {
    std::vector<IntegerProblem> problems;
    std::vector<Theorem3> results;
    for (const std::vector<Rational>& y : components) {
        problems.push_back(integer_problem(t, y, a2, monitor));
        results.push_back(prepare_least(problems.back()));
    }
    // Each task makes the rows of one range and repeats only the column before it, so that no more
    // than two columns per thread exist at a time.
    const std::size_t p = results.front().blocks, q = results.front().depth;
    const std::size_t m = components.size();
    const std::size_t ranges = m >= 4 * n_threads ? 1 : base::task_count(q, n_threads, 4);
    monitor.begin(3 * p * (q + ranges - 1) * m);
    base::parallel_for(m * ranges, n_threads, monitor, [&](std::size_t task) {
        const std::size_t group = task / ranges, range = task % ranges;
        fill_least(problems[group], q * range / ranges, q * (range + 1) / ranges, results[group],
                   monitor);
    });
    return results;
}

// ---------------------------------------------------------------- scale "worst_case"

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
