// Three ideas make exact evaluation fast without trusting anything about the network:
//
// 1. Denominators are taken out. A neuron's row gets one common denominator d; because ReLU is
//    positively homogeneous, d times the neuron's value can be passed on instead of the value and d
//    be divided out of the next layer's column. What is left is integer multiply-add. Where common
//    denominators would grow too large (many rows with unrelated denominators), a layer keeps a
//    denominator per value and reduces to lowest terms after every addition.
// 2. When all first-layer rows are multiples of one vector w (this is tested, never assumed),
//    the network depends on t = w . x only and is piecewise linear in t. Sorted by t, points that
//    share an activation pattern are neighbours, and on them every neuron is one affine function of
//    t. Between neighbouring patterns only the neurons that switch are added or taken away.
// 3. Which of the points a neuron is active at follows from one exact division per neuron and
//    pattern: its zero crossing.
//
// Without a common w every point is a range of its own, and every affine function a constant.
#include "evaluate.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>

namespace exactnet::exact {
namespace {

/// (slope t + offset) / denominator, denominator > 0.
struct Affine {
    Integer slope;
    Integer offset;
    Integer denominator = 1;
    std::size_t cancelled_bits = 0;  // of the denominator when last in lowest terms
};

/// A layer with, if `fixed`, integer rows over one denominator each. The inputs of such a layer are
/// the values of the layer before times that layer's denominators.
struct PreparedLayer {
    const Layer* layer = nullptr;
    bool fixed = false;
    std::vector<Integer> numerators;    // (outputs, inputs)
    std::vector<Integer> biases;        // (outputs,)
    std::vector<Integer> denominators;  // (outputs,)
};

void extend_lcm(Integer& common, mpz_srcptr denominator) {
    if (mpz_divisible_p(common.get(), denominator) == 0) {
        mpz_lcm(common.get(), common.get(), denominator);
    }
}

/// Puts a layer over one denominator per row, after dividing column i by `column_divisors[i]`.
/// `check_growth`: give up (fixed = false) when a row's common denominator is much longer than the
/// denominators of its weights are on average, because then most sums can do with a shorter one.
PreparedLayer prepare(const Layer& layer, std::span<const Integer> column_divisors,
                      bool check_growth, base::Monitor& monitor) {
    PreparedLayer prepared;
    prepared.layer = &layer;
    std::vector<Rational> row(layer.inputs);
    for (std::size_t k = 0; k < layer.outputs; ++k) {
        std::size_t own_bits = 0, n_terms = 0;  // of the weights' own denominators
        for (std::size_t i = 0; i < layer.inputs; ++i) {
            row[i] = layer.weight(k, i);
            if (row[i].sign() == 0) continue;
            if (!column_divisors[i].is_one()) row[i] /= Rational(column_divisors[i]);
            own_bits += mpz_sizeinbase(row[i].den(), 2);
            ++n_terms;
            monitor.step(0);
        }
        Integer common = layer.biases[k].denominator();
        for (std::size_t i = 0; i < layer.inputs; ++i) {
            if (row[i].sign() != 0) extend_lcm(common, row[i].den());
            if (check_growth && 2 * n_terms * common.bits() > 3 * own_bits + 128 * n_terms) {
                return prepared;
            }
            monitor.step(0);
        }
        const auto scale = [&](const Rational& value) {
            Integer scaled;
            mpz_divexact(scaled.get(), common.get(), value.den());
            mpz_mul(scaled.get(), scaled.get(), value.num());
            return scaled;
        };
        for (std::size_t i = 0; i < layer.inputs; ++i) {
            prepared.numerators.push_back(row[i].sign() == 0 ? Integer() : scale(row[i]));
        }
        prepared.biases.push_back(scale(layer.biases[k]));
        prepared.denominators.push_back(std::move(common));
    }
    prepared.fixed = true;
    return prepared;
}

std::vector<PreparedLayer> prepare(const Network& network, const Table& points,
                                   base::Monitor& monitor) {
    std::vector<PreparedLayer> layers;
    layers.push_back(prepare(network[0], points.denominators, false, monitor));
    for (std::size_t l = 1; l < network.size(); ++l) {
        if (layers.back().fixed) {
            layers.push_back(prepare(network[l], layers.back().denominators, true, monitor));
        } else {
            layers.push_back({&network[l], false, {}, {}, {}});
        }
    }
    return layers;
}

/// Divides by what all three numbers and `divisor` have in common.
void cancel(Affine& value, const Integer& divisor) {
    const Integer common = gcd(gcd(divisor, value.slope), value.offset);
    if (common.is_one()) return;
    value.slope = exact_div(value.slope, common);
    value.offset = exact_div(value.offset, common);
    value.denominator = exact_div(value.denominator, common);
}

/// sum += sign * weight * value. Lowest terms would cost two long gcds for each of millions of
/// additions, so the sum is cancelled only where that shortens it: denominators that extend one
/// another (the second layer of a construction) leave next to nothing to cancel, those that
/// alternate (its output layer, whose sum telescopes) cancel as Knuth's TAOCP 4.5.1 has it.
void add_product(Affine& sum, const Rational& weight, const Affine& value, int sign) {
    Affine term{value.slope, value.offset, value.denominator};
    mpz_mul(term.slope.get(), term.slope.get(), weight.num());
    mpz_mul(term.offset.get(), term.offset.get(), weight.num());
    mpz_mul(term.denominator.get(), term.denominator.get(), weight.den());

    const Integer g = gcd(sum.denominator, term.denominator);
    const Integer u = exact_div(term.denominator, g), v = exact_div(sum.denominator, g);
    const auto combine = [&](Integer& into, const Integer& from) {
        into *= u;
        (sign > 0 ? mpz_addmul : mpz_submul)(into.get(), from.get(), v.get());
    };
    combine(sum.slope, term.slope);
    combine(sum.offset, term.offset);
    sum.denominator *= u;
    // Were both in lowest terms, only factors of g could be common to the result.
    if (u.bits() > 128) cancel(sum, g);
    // They need not be; what that leaves behind is cleared whenever it may have doubled the length.
    if (sum.denominator.bits() > 2 * sum.cancelled_bits + 128) {
        cancel(sum, sum.denominator);
        sum.cancelled_bits = sum.denominator.bits();
    }
}

/// The vector w of which all first-layer rows are integer multiples, with the multiples.
struct CommonDirection {
    std::vector<Integer> weights;
    std::vector<Integer> multiples;
};

std::optional<CommonDirection> common_direction(const PreparedLayer& first) {
    const std::size_t rows = first.layer->outputs, cols = first.layer->inputs;
    CommonDirection common{std::vector<Integer>(cols), std::vector<Integer>(rows)};
    std::size_t pivot = cols;
    for (std::size_t k = 0; k < rows; ++k) {
        const Integer* row = &first.numerators[k * cols];
        if (pivot == cols) {
            Integer content;
            for (std::size_t i = 0; i < cols; ++i) content = gcd(content, row[i]);
            if (content.sign() == 0) continue;  // a zero row is 0 times any vector
            for (std::size_t i = 0; i < cols; ++i) common.weights[i] = exact_div(row[i], content);
            while (pivot == cols || common.weights[pivot].sign() == 0) {
                pivot = pivot == cols ? 0 : pivot + 1;
            }
        }
        const Integer& unit = common.weights[pivot];
        if (mpz_divisible_p(row[pivot].get(), unit.get()) == 0) return std::nullopt;
        common.multiples[k] = exact_div(row[pivot], unit);
        for (std::size_t i = 0; i < cols; ++i) {
            if (!(common.multiples[k] * common.weights[i] == row[i])) return std::nullopt;
        }
    }
    return common;
}

Integer dot(const Table& points, std::size_t row, const Integer* weights) {
    Integer sum;
    for (std::size_t i = 0; i < points.cols; ++i) {
        if (weights[i].sign() != 0) points.add_product(sum, weights[i], row, i);
    }
    return sum;
}

/// What all threads read: the prepared layers, and the points in order of t.
struct Problem {
    std::vector<PreparedLayer> layers;
    std::vector<std::size_t> order;  // rows of the table
    std::vector<Integer> t;          // in that order; empty when there is no common direction
};

/// Walks a range of points through the layers; one per thread.
class Walker {
   public:
    Walker(const Problem& problem, base::Monitor& monitor, const OutputVisitor& visit)
        : problem_(problem),
          monitor_(monitor),
          visit_(visit),
          levels_(problem.layers.size()),
          outputs_(problem.layers.back().layer->outputs) {}

    /// Points [begin, end) on which the first layer's pre-activations are `z`. The path through
    /// the layers is kept in `levels_`, not on the call stack: networks may be deep.
    void walk(std::size_t begin, std::size_t end, const std::vector<Affine>& z) {
        const std::size_t n_layers = problem_.layers.size();
        if (n_layers == 1) return emit(begin, end, z);
        enter(0, begin, end, z);
        for (std::size_t l = 0;;) {
            Level& level = levels_[l];
            if (level.from == level.end) {
                if (l == 0) return;
                --l;
                continue;
            }
            const std::size_t from = level.from;
            if (from != level.begin) switch_at(l, from, l == 0 ? z : levels_[l - 1].next);
            level.from = level.next_switch < level.switches.size()
                             ? level.switches[level.next_switch].at
                             : level.end;
            if (l + 2 == n_layers) {
                emit(from, level.from, level.next);
            } else {
                enter(l + 1, from, level.from, level.next);
                ++l;
            }
        }
    }

   private:
    struct Switch {
        std::size_t at;  // first point in the new state
        std::size_t neuron;
    };
    struct Level {
        std::size_t begin = 0, end = 0;  // the points of the current pattern of the layers below
        std::size_t from = 0;            // those before it are done
        std::size_t next_switch = 0;
        std::vector<char> active;
        std::size_t n_active = 0;
        std::vector<Switch> switches;
        std::vector<Affine> next;  // pre-activations of the next layer
    };

    void enter(std::size_t l, std::size_t begin, std::size_t end, const std::vector<Affine>& z) {
        Level& level = levels_[l];
        level.begin = level.from = begin;
        level.end = end;
        level.next_switch = 0;
        find_switches(l, begin, end, z);
        accumulate_active(l, z);
    }

    /// Brings `next` of layer `l` to the pattern that begins at point `at`.
    void switch_at(std::size_t l, std::size_t at, const std::vector<Affine>& z) {
        Level& level = levels_[l];
        const std::size_t first = level.next_switch;
        std::size_t last = first, still_active = level.n_active;
        for (; last < level.switches.size() && level.switches[last].at == at; ++last) {
            level.active[level.switches[last].neuron] != 0 ? --still_active : ++still_active;
        }
        const bool update = last - first <= still_active;
        for (std::size_t k = first; k < last; ++k) {
            const std::size_t neuron = level.switches[k].neuron;
            const bool on = level.active[neuron] == 0;
            level.active[neuron] = on ? 1 : 0;
            if (update) accumulate(l, neuron, z[neuron], on ? 1 : -1);
        }
        level.n_active = still_active;
        level.next_switch = last;
        if (!update) accumulate_active(l, z);
    }

    /// Which neurons of layer `l` are active at point `begin`, and where that changes.
    void find_switches(std::size_t l, std::size_t begin, std::size_t end,
                       const std::vector<Affine>& z) {
        Level& level = levels_[l];
        level.active.assign(z.size(), 1);
        level.switches.clear();
        const bool relu = problem_.layers[l].layer->activation == Activation::relu;
        for (std::size_t i = 0; relu && i < z.size(); ++i) {
            monitor_.step(0);
            const int direction = z[i].slope.sign();
            if (direction == 0) {
                level.active[i] = z[i].offset.sign() > 0 ? 1 : 0;
                continue;
            }
            // Positive where t > crossing (rising) or t < crossing (falling), t an integer.
            const Integer first = direction > 0 ? floor_div(-z[i].offset, z[i].slope) + Integer(1)
                                                : ceil_div(-z[i].offset, z[i].slope);
            const auto range = problem_.t.begin();
            const auto at = static_cast<std::size_t>(
                std::lower_bound(range + static_cast<std::ptrdiff_t>(begin),
                                 range + static_cast<std::ptrdiff_t>(end), first) -
                range);
            level.active[i] = (direction > 0 ? at == begin : at > begin) ? 1 : 0;
            if (at > begin && at < end) level.switches.push_back({at, i});
        }
        level.n_active =
            static_cast<std::size_t>(std::count(level.active.begin(), level.active.end(), 1));
        std::sort(level.switches.begin(), level.switches.end(),
                  [](const Switch& a, const Switch& b) { return a.at < b.at; });
    }

    /// next = bias + the contributions of all active neurons of layer `l`.
    void accumulate_active(std::size_t l, const std::vector<Affine>& z) {
        const PreparedLayer& to = problem_.layers[l + 1];
        std::vector<Affine>& next = levels_[l].next;
        next.resize(to.layer->outputs);
        for (std::size_t k = 0; k < next.size(); ++k) {
            next[k].slope = 0;
            next[k].offset = to.fixed ? to.biases[k] : to.layer->biases[k].numerator();
            next[k].denominator = to.fixed ? to.denominators[k] : to.layer->biases[k].denominator();
            next[k].cancelled_bits = next[k].denominator.bits();
        }
        for (std::size_t i = 0; i < z.size(); ++i) {
            if (levels_[l].active[i] != 0) accumulate(l, i, z[i], 1);
        }
    }

    /// next += sign * column `i` of layer l + 1 times the value of neuron `i` of layer `l`.
    void accumulate(std::size_t l, std::size_t i, const Affine& value, int sign) {
        const PreparedLayer& to = problem_.layers[l + 1];
        std::vector<Affine>& next = levels_[l].next;
        const auto add = sign > 0 ? mpz_addmul : mpz_submul;
        monitor_.step(0);
        for (std::size_t k = 0; k < next.size(); ++k) {
            if (to.fixed) {
                const Integer& weight = to.numerators[k * to.layer->inputs + i];
                if (weight.sign() == 0) continue;
                add(next[k].slope.get(), weight.get(), value.slope.get());
                add(next[k].offset.get(), weight.get(), value.offset.get());
            } else {
                const Rational& weight = to.layer->weight(k, i);
                if (weight.sign() == 0) continue;
                monitor_.step(0);
                add_product(next[k], weight, value, sign);
            }
        }
    }

    void emit(std::size_t begin, std::size_t end, const std::vector<Affine>& z) {
        for (std::size_t p = begin; p < end; ++p) emit(p, z);
    }

    void emit(std::size_t p, const std::vector<Affine>& z) {
        const bool relu = problem_.layers.back().layer->activation == Activation::relu;
        for (std::size_t k = 0; k < z.size(); ++k) {
            Quotient& output = outputs_[k];
            output.numerator = z[k].offset;
            if (z[k].slope.sign() != 0) {
                mpz_addmul(output.numerator.get(), z[k].slope.get(), problem_.t[p].get());
            }
            if (relu && output.numerator.sign() < 0) output.numerator = 0;
            output.denominator = z[k].denominator;
        }
        visit_(problem_.order[p], outputs_);
        monitor_.step();
    }

    const Problem& problem_;
    base::Monitor& monitor_;
    const OutputVisitor& visit_;
    std::vector<Level> levels_;
    std::vector<Quotient> outputs_;
};

void check(const Network& network, const Table& points) {
    if (network.empty()) throw std::invalid_argument("network: at least one layer is needed");
    std::size_t inputs = points.cols;
    for (std::size_t l = 0; l < network.size(); ++l) {
        const Layer& layer = network[l];
        if (layer.inputs != inputs || layer.weights.size() != layer.inputs * layer.outputs ||
            layer.biases.size() != layer.outputs || layer.outputs == 0 || inputs == 0) {
            throw std::invalid_argument("network: layer " + std::to_string(l) +
                                        " does not fit its " + std::to_string(inputs) +
                                        " inputs or its own sizes");
        }
        inputs = layer.outputs;
    }
}

}  // namespace

void evaluate(const Network& network, const Table& points, std::size_t n_threads,
              base::Monitor& monitor, const OutputVisitor& visit) {
    check(network, points);
    Problem problem;
    problem.layers = prepare(network, points, monitor);
    const PreparedLayer& first = problem.layers.front();
    const std::size_t width = first.layer->outputs;
    problem.order.resize(points.rows);
    std::iota(problem.order.begin(), problem.order.end(), std::size_t{0});

    const std::optional<CommonDirection> direction = common_direction(first);
    if (direction) {
        std::vector<Integer> t(points.rows);
        for (std::size_t r = 0; r < points.rows; ++r) {
            monitor.step(0);
            t[r] = dot(points, r, direction->weights.data());
        }
        base::sort(problem.order.begin(), problem.order.end(), monitor,
                   [&](std::size_t a, std::size_t b) { return t[a] < t[b]; });
        for (const std::size_t r : problem.order) problem.t.push_back(std::move(t[r]));
    }

    monitor.begin(points.rows);
    // Along a line every further task has to find its first pattern from nothing; single points
    // are alike.
    const std::size_t n_tasks = base::task_count(points.rows, n_threads, direction ? 1 : 8);
    base::parallel_for(n_tasks, n_threads, monitor, [&](std::size_t task) {
        const std::size_t begin = points.rows * task / n_tasks;
        const std::size_t end = points.rows * (task + 1) / n_tasks;
        if (begin == end) return;
        Walker walker(problem, monitor, visit);
        std::vector<Affine> z(width);
        for (std::size_t i = 0; i < width; ++i) z[i].denominator = first.denominators[i];
        if (direction) {
            for (std::size_t i = 0; i < width; ++i) {
                z[i].slope = direction->multiples[i];
                z[i].offset = first.biases[i];
            }
            walker.walk(begin, end, z);
            return;
        }
        for (std::size_t p = begin; p < end; ++p) {
            for (std::size_t i = 0; i < width; ++i) {
                z[i].offset = first.biases[i] +
                              dot(points, problem.order[p], &first.numerators[i * points.cols]);
            }
            walker.walk(p, p + 1, z);
        }
    });
}

std::vector<Rational> predict(const Network& network, const Table& points, std::size_t n_threads,
                              base::Monitor& monitor) {
    check(network, points);
    const std::size_t n_outputs = network.back().outputs;
    std::vector<Rational> result(points.rows * n_outputs);
    evaluate(network, points, n_threads, monitor,
             [&](std::size_t row, std::span<const Quotient> outputs) {
                 for (std::size_t k = 0; k < n_outputs; ++k) {
                     result[row * n_outputs + k] =
                         Rational(outputs[k].numerator, outputs[k].denominator);
                 }
             });
    return result;
}

}  // namespace exactnet::exact
