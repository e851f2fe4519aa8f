#include "theorem3_least.hpp"

#include <algorithm>
#include <utility>

namespace exactnet::exact {
namespace {

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

}  // namespace

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

namespace {

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

}  // namespace

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

}  // namespace exactnet::exact
