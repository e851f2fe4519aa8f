// Three ideas make exact evaluation fast without trusting anything about the network:
//
// 1. Denominators are taken out. A neuron's row gets one common denominator d; because ReLU is
//    positively homogeneous, d times the neuron's value can be passed on instead of the value and d
//    be divided out of the next layer's column. What is left is integer multiply-add. Where common
//    denominators would grow too large (many rows with unrelated denominators), a layer keeps a
//    denominator per value and reduces to lowest terms after every addition. (prepared.cpp)
// 2. Where bounds of its sums allow it, a layer is evaluated in float64, without rounding, or in
//    words of fixed width. (fixed_width.cpp)
// 3. When all first-layer rows are multiples of one vector (this is tested, never assumed), points
//    are sorted along it, and neighbours share what they have in common. (walk.cpp)
#include "evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>

#include "fixed_width.hpp"
#include "prepared.hpp"
#include "product.hpp"
#include "walk.hpp"

namespace exactnet::exact {
namespace {

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

/// Whether the walk along a common direction is expected to take less time than evaluation point by
/// point. Of the walk it assumes that every unit switches wherever it can.
bool line_pays(const Problem& problem, std::span<const FixedLayer> fixed, const Table& points,
               base::Monitor& monitor) {
    const std::size_t n_layers = problem.layers.size();
    if (fixed.size() < n_layers) return true;
    // Nanoseconds of an operation with numbers of so many bits, by measurement.
    const auto multiply = [](double bits) { return 12 + bits / 100; };
    const auto divide = [](double bits) { return 150 + bits / 10; };
    const auto log2 = [](double value) { return value > 1 ? std::log2(value) : 0.0; };
    const auto count = [](std::size_t n) { return static_cast<double>(n); };

    double bits = 0;  // of the inputs of a layer
    std::int64_t highest = 0;
    for (std::size_t e = 0; e < points.rows * points.cols; ++e) {
        if (points.is_small()) {
            highest |= points.small[e] < 0 ? ~points.small[e] : points.small[e];
        } else {
            bits = std::max(bits, count(points.big[e].bits()));
        }
        if (e % 65536 == 0) monitor.step(0);
    }
    if (points.is_small()) bits = log2(static_cast<double>(highest)) + 1;
    const double n = count(points.rows);
    double by_points = 0, along_line = 0, patterns = 1;
    for (std::size_t l = 0; l < n_layers; ++l) {
        const FixedLayer& layer = fixed[l];
        const double inputs = count(layer.inputs), outputs = count(layer.outputs);
        const double most =
            *std::max_element(layer.weights.begin(), layer.weights.end(),
                              [](double a, double b) { return std::abs(a) < std::abs(b); });
        const double sum_bits = bits + log2(std::abs(most)) + log2(inputs) + 1;
        const double products = std::ceil(bits / 52) * count(layer.n_limbs);
        by_points += n * inputs * outputs *
                     (layer.in_floats && sum_bits < 54 ? 0.2
                      : products <= 32                 ? 0.7 * products
                                                       : multiply(sum_bits));
        if (l > 0) {
            const double switches = std::min(n, patterns * inputs);
            along_line += patterns * inputs * (divide(bits) + 2 * outputs * multiply(sum_bits)) +
                          switches * 2 * outputs * multiply(sum_bits);
            patterns = std::min(n, patterns * (inputs + 1));
        }
        bits = sum_bits;
    }
    along_line += n * count(fixed.back().outputs) * multiply(bits);
    return along_line < by_points;
}

}  // namespace

void evaluate(const Network& network, const Table& points, std::size_t n_threads,
              base::Monitor& monitor, const OutputVisitor& visit, Way way) {
    check(network, points);
    Problem problem;
    problem.layers = prepare(network, points, monitor);
    const std::size_t n_layers = problem.layers.size();
    const PreparedLayer& first = problem.layers.front();
    const PreparedLayer& last = problem.layers.back();
    problem.order.resize(points.rows);
    std::iota(problem.order.begin(), problem.order.end(), std::size_t{0});

    std::vector<FixedLayer> fixed;
    if (way != Way::numbers) fixed = fix_width(problem.layers, monitor);
    const AddProduct add_product = way == Way::words ? nullptr : products().back();
    std::optional<CommonDirection> direction;
    if (way == Way::best || way == Way::line) direction = common_direction(first);
    if (way == Way::best && direction && !line_pays(problem, fixed, points, monitor))
        direction.reset();
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
    // Along a line every further task has to find its first pattern from nothing, and in networks
    // of `memorize` later points take longer: those that take longest come first, so that threads
    // end together. Single points are alike.
    const std::size_t n_tasks = base::task_count(points.rows, n_threads, direction ? 2 : 8);
    base::parallel_for(n_tasks, n_threads, monitor, [&](std::size_t turn) {
        const std::size_t task = n_tasks - 1 - turn;
        const std::size_t begin = points.rows * task / n_tasks;
        const std::size_t end = points.rows * (task + 1) / n_tasks;
        if (begin == end) return;
        Walker walker(problem, monitor, visit);
        std::vector<Affine> z(first.layer->outputs);
        if (direction) {
            for (std::size_t i = 0; i < z.size(); ++i) {
                z[i].slope = direction->multiples[i];
                z[i].offset = first.biases[i];
                z[i].denominator = first.denominators[i];
            }
            walker.walk(begin, end, z);
            return;
        }
        FixedWidth block(fixed, points, add_product, monitor);
        std::vector<Quotient> outputs(last.layer->outputs);
        for (std::size_t p = begin; p < end;) {
            const std::size_t n_rows = std::min(block.block_rows(), end - p);
            const std::size_t done = block.evaluate(p, n_rows);
            for (std::size_t r = 0; r < n_rows; ++r, ++p) {
                if (done == n_layers) {
                    for (std::size_t k = 0; k < outputs.size(); ++k) {
                        block.get(r, k, outputs[k].numerator);
                        if (outputs[k].numerator.sign() < 0 && fixed.back().relu) {
                            outputs[k].numerator = 0;
                        }
                        outputs[k].denominator = last.denominators[k];
                    }
                    visit(p, outputs);
                    monitor.step();
                    continue;
                }
                // On with the sums of the last layer that was done, or those of the first.
                const std::size_t from = done == 0 ? 0 : done - 1;
                const PreparedLayer& layer = problem.layers[from];
                z.resize(layer.layer->outputs);
                for (std::size_t k = 0; k < z.size(); ++k) {
                    if (done == 0) {
                        z[k].offset =
                            layer.biases[k] + dot(points, p, &layer.numerators[k * points.cols]);
                    } else {
                        block.get(r, k, z[k].offset);
                    }
                    z[k].denominator = layer.denominators[k];
                }
                walker.walk(p, p + 1, z, from);
            }
        }
    });
}

std::vector<Rational> predict(const Network& network, const Table& points, std::size_t n_threads,
                              base::Monitor& monitor, Way way) {
    check(network, points);
    const std::size_t n_outputs = network.back().outputs;
    std::vector<Rational> result(points.rows * n_outputs);
    evaluate(
        network, points, n_threads, monitor,
        [&](std::size_t row, std::span<const Quotient> outputs) {
            for (std::size_t k = 0; k < n_outputs; ++k) {
                result[row * n_outputs + k] =
                    Rational(outputs[k].numerator, outputs[k].denominator);
            }
        },
        way);
    return result;
}

}  // namespace exactnet::exact
