#include "theorem3_least.hpp"

#include <algorithm>
#include <cmath>
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

/// A denominator is `out` times shorter than the one before, and then `in` times longer.
struct Change {
    Integer out = 1, in = 1;
};

/// One of the piecewise-linear functions G: its value at the first breakpoint and its changes of
/// slope, per unit of the original t, at every breakpoint.
struct PiecewiseLinear {
    Integer start;
    std::vector<Rational> kinks;
    // From the denominator of the slope before to those of the kink and of the slope behind it.
    std::vector<Change> to_kink, to_slope;
};

/// (rise - length s) / gap in lowest terms, s being in lowest terms, too. Whatever length and s's
/// denominator have in common is divided out first; then the numerator shares no factor with what
/// is left of that denominator, and all common divisors are those of small numbers.
Rational next_slope(const Integer& rise, const Integer& length, const Rational& s,
                    const Integer& gap, Change& change) {
    Rational result;
    const mpz_ptr num = mpq_numref(result.get()), den = mpq_denref(result.get());
    Integer factor;
    mpz_gcd(change.out.get(), s.den(), length.get());
    mpz_divexact(den, s.den(), change.out.get());
    mpz_divexact(factor.get(), length.get(), change.out.get());
    mpz_mul(num, den, rise.get());
    mpz_submul(num, s.num(), factor.get());
    mpz_gcd(factor.get(), num, gap.get());
    if (!factor.is_one()) mpz_divexact(num, num, factor.get());
    mpz_divexact(change.in.get(), gap.get(), factor.get());
    mpz_mul(den, den, change.in.get());
    return result;
}

/// Denominators of two columns as `common` times numbers without common divisor, kept by gcds with
/// small numbers while small factors come and go.
class Denominators {
   public:
    /// Of the first (0) or the second (1) column.
    void apply(int column, const Change& change) {
        Integer& own = own_[column];
        Integer& other = own_[1 - column];
        Integer part, rest;
        if (!change.out.is_one()) {
            mpz_gcd(part.get(), own.get(), change.out.get());
            if (!part.is_one()) mpz_divexact(own.get(), own.get(), part.get());
            mpz_divexact(rest.get(), change.out.get(), part.get());
            if (!rest.is_one()) {
                mpz_divexact(common_.get(), common_.get(), rest.get());
                other *= rest;
            }
        }
        mpz_gcd(part.get(), other.get(), change.in.get());
        if (!part.is_one()) {
            mpz_divexact(other.get(), other.get(), part.get());
            common_ *= part;
        }
        mpz_divexact(rest.get(), change.in.get(), part.get());
        own *= rest;
    }

    /// a - b, with these denominators: what a numerator of the difference and `common` divide by
    /// is all that is to be divided out.
    void subtract(const Rational& a, const Rational& b, mpq_ptr result) const {
        const mpz_ptr num = mpq_numref(result), den = mpq_denref(result);
        mpz_mul(num, a.num(), own_[1].get());
        mpz_submul(num, b.num(), own_[0].get());
        Integer divisor;
        mpz_gcd(divisor.get(), num, common_.get());
        mpz_mul(den, a.den(), own_[1].get());
        if (divisor.is_one()) return;
        mpz_divexact(num, num, divisor.get());
        mpz_divexact(den, den, divisor.get());
    }

   private:
    Integer common_ = 1, own_[2] = {1, 1};
};

/// About the value of a big number: mantissa 2^exponent.
struct Rounded {
    explicit Rounded(const Integer& value) { mantissa = mpz_get_d_2exp(&exponent, value.get()); }

    double over(const Rounded& other) const {
        constexpr long most = 2000;  // beyond all doubles
        const long shift = std::clamp(exponent - other.exponent, -most, most);
        return std::ldexp(mantissa / other.mantissa, static_cast<int>(shift));
    }

    long exponent = 0;
    double mantissa = 0;
};

/// G_{j+1}: through the j-th point of every block and through (B_0, -sigma c), with c the least
/// integer for which neuron j switches on between points j - 1 and j of every block.
class ColumnBuilder {
   public:
    ColumnBuilder(const IntegerProblem& problem, base::Monitor& monitor)
        : problem_(problem), data_(problem.data), monitor_(monitor) {}

    PiecewiseLinear build(std::size_t j) {
        const Integer c = least_constant(j);
        return through_points(j, j % 2 == 0 ? -c : c);
    }

   private:
    /// With v_i = G(B_i) = (A_i - sigma (-1)^i R_i c) / P_i all conditions are integer arithmetic,
    /// big numbers times small ones. Few of them count: floats tell which cannot.
    Integer least_constant(std::size_t j) {
        const int sigma = j % 2 == 0 ? 1 : -1;
        Integer a, p = 1, r = 1;  // A_i, P_i and R_i
        bool bounded = false;
        Integer least = 1;  // of columns of single points, which no condition bounds
        double least_rounded = 0;
        Integer gap, step, excess, divisor, rest;
        for (std::size_t i = 0; i < data_.blocks; ++i) {
            monitor_.step();
            const Integer& t = data_.t_at(i, j);
            const Integer& y = data_.y_at(i, j);
            mpz_sub(gap.get(), t.get(), data_.breaks[i].get());
            const Rounded divided(r);
            const double a_rounded = Rounded(a).over(divided), p_rounded = Rounded(p).over(divided);
            // sigma P_i gap (G - other_y) at other_t is excess + (sign) |other_t - t| R_i c, so
            // that c is to be at least, or more than, sign excess / (|other_t - t| R_i).
            const auto require = [&](const Integer& other_t, const Integer& other_y, int sign,
                                     bool more) {
                sign *= sigma;
                mpz_sub(step.get(), other_t.get(), t.get());
                if (bounded) {
                    const double y_rounded = mpz_get_d(y.get()), g = mpz_get_d(gap.get());
                    const double s = mpz_get_d(step.get()), other = mpz_get_d(other_y.get());
                    const double product = p_rounded / std::abs(s);
                    const double sum = product * ((y_rounded - other) * g + y_rounded * s) -
                                       a_rounded * (s < 0 ? -1 : 1);
                    // a thousand times what rounding can do
                    const double error =
                        0x1p-40 *
                        (product * ((y_rounded + std::abs(other)) * g + y_rounded * std::abs(s)) +
                         std::abs(a_rounded) + std::abs(least_rounded) + 1);
                    if (sign * sum + error < least_rounded) return;
                }
                excess = p * ((y - other_y) * gap + y * step);
                mpz_submul(excess.get(), a.get(), step.get());
                if (sign < 0) mpz_neg(excess.get(), excess.get());
                mpz_abs(divisor.get(), step.get());
                divisor *= r;
                Integer bound =
                    more ? floor_div(excess, divisor) + Integer(1) : ceil_div(excess, divisor);
                if (bounded && !(bound > least)) return;
                bounded = true;
                least = std::move(bound);
                least_rounded = mpz_get_d(least.get());
            };
            if (j > 0) {  // not yet active one point earlier
                require(data_.t_at(i, j - 1), data_.y_at(i, j - 1), 1, false);
            }
            if (j + 1 < data_.depth) {  // overshoots the next point
                require(data_.t_at(i, j + 1), data_.y_at(i, j + 1), -1, true);
            }
            if (j == 0 && data_.depth > 1) {  // once active, active to the end of the block
                require(data_.t_at(i, data_.depth - 1), problem_.base, -1, false);
            }
            if (i + 1 == data_.blocks) break;
            mpz_sub(rest.get(), data_.breaks[i + 1].get(), t.get());
            a *= rest;
            mpz_neg(a.get(), a.get());
            mpz_add(step.get(), gap.get(), rest.get());
            step *= y;
            mpz_addmul(a.get(), p.get(), step.get());
            p *= gap;
            r *= rest;
        }
        return least;
    }

    /// The slope in block i is s_i = (y_i - v_i) / gap_i. The point before, at which the function
    /// is y_{i-1}, lies `rest` before B_i: so y_i = y_{i-1} + s_{i-1} rest + s_i gap, and the same
    /// with s_i - s_{i-1} for s_i and all of the way for rest.
    PiecewiseLinear through_points(std::size_t j, const Integer& start) {
        PiecewiseLinear g;
        g.start = start;
        g.kinks.reserve(data_.blocks);
        Rational slope;
        const Integer* t_before = &data_.breaks[0];
        const Integer* y_before = &start;
        for (std::size_t i = 0; i < data_.blocks; ++i) {
            monitor_.step();
            const Integer &t = data_.t_at(i, j), &y = data_.y_at(i, j);
            const Integer gap = t - data_.breaks[i];
            Integer rise = y - *y_before;
            mpz_mul(rise.get(), rise.get(), problem_.t_unit.den());
            g.kinks.push_back(
                next_slope(rise, t - *t_before, slope, gap, g.to_kink.emplace_back()));
            if (i + 1 == data_.blocks) break;
            slope = next_slope(rise, data_.breaks[i] - *t_before, slope, gap,
                               g.to_slope.emplace_back());
            t_before = &t;
            y_before = &y;
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
    PiecewiseLinear previous;
    if (begin > 0) {
        previous = builder.build(begin - 1);
    } else {
        previous.start = problem.base;
    }
    for (std::size_t j = begin; j < end; ++j) {
        PiecewiseLinear current = builder.build(j);
        const bool plus = j % 2 == 0;
        Denominators slopes;  // before the kink
        for (std::size_t i = 0; i < p; ++i) {
            monitor.step();
            Rational& weight = result.weights[j * p + i];
            if (j == 0) {
                weight = current.kinks[i];
                continue;
            }
            const auto &hi = plus ? current : previous, &lo = plus ? previous : current;
            Denominators kinks = slopes;
            kinks.apply(0, hi.to_kink[i]);
            kinks.apply(1, lo.to_kink[i]);
            kinks.subtract(hi.kinks[i], lo.kinks[i], weight.get());
            if (i + 1 == p) break;
            slopes.apply(0, hi.to_slope[i]);
            slopes.apply(1, lo.to_slope[i]);
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
