// What a trainer does with the deltas of a batch: gradients, and the step of the optimiser.
#include <algorithm>
#include <cmath>

#include "elementary.hpp"
#include "trainer.hpp"

namespace exactnet::dense {

/// The rows of the weights of layer l on which thread t works.
template <class T>
typename Trainer<T>::Range Trainer<T>::rows_of(std::size_t l, std::size_t t) const {
    const std::size_t rows = levels_[l].packed.weights.rows();
    const std::size_t unit = l == 0 && sparse_ ? sparse_block : kernels_.width;
    const Range units = share((rows + unit - 1) / unit, t);
    return {units.begin * unit, std::min(units.end * unit, rows)};
}

/// Applies a step with the gradient of m samples to `rows` of layer l's weights, or of what has
/// their layout.
template <class T>
void Trainer<T>::step_rows(std::size_t l, std::size_t m, Range rows,
                           const Parameters<T>& parameters, Step<T> step, Poll& poll) {
    const Panels<T>& d = levels_[l].deltas;
    const bool sparse = l == 0 && sparse_, narrow = levels_[l].narrow(kernels_);
    const auto some = [&](std::size_t begin, std::size_t end, const T* deltas,
                          const Parameters<T>& part) {
        if (sparse) {
            kernels_.sparse_update(m, levels_[l].packed.weights.rows(), begin / sparse_block,
                                   (end + sparse_block - 1) / sparse_block, rows_.data(), deltas,
                                   d.stride(), part, step);
        } else if (narrow) {
            kernels_.narrow_update(d.width(), m, begin, end, inputs_of(l).view(), deltas, part,
                                   step);
        } else {
            kernels_.update(m, begin, end, inputs_of(l).view(), deltas, d.stride(), part, step);
        }
    };
    const std::size_t work = m * d.width();  // of a row in a panel
    if (work * (rows.end - rows.begin) * parameters.n_panels < Poll::unit) {
        return some(rows.begin, rows.end, d.data(), parameters);
    }
    constexpr std::size_t panels = 2;  // at a time, as the sparse kernel takes them
    const std::size_t most = sparse ? sparse_block : kernels_.width;
    for (std::size_t p = 0; p < parameters.n_panels; p += panels) {
        const auto at = [&](T* data) {
            return data != nullptr ? data + p * parameters.panel_stride : nullptr;
        };
        Parameters<T> part = parameters;
        part.weights = at(parameters.weights);
        part.velocity = at(parameters.velocity);
        part.sums = at(parameters.sums);
        part.n_panels = std::min(panels, parameters.n_panels - p);
        for (std::size_t k = rows.begin; k < rows.end; k += most) {
            const std::size_t end = std::min(rows.end, k + most);
            some(k, end, d.data() + p * d.stride(), part);
            part.biases = nullptr;  // once is enough
            poll.done(work * (end - k) * part.n_panels);
        }
    }
}

/// The share of thread t in the step of a batch of m samples.
template <class T>
void Trainer<T>::update(std::size_t m, Step<T> step, std::size_t t, Poll poll) {
    static constexpr T one[1] = {1};
    const auto or_null = [](auto& buffer) { return buffer.size() != 0 ? buffer.data() : nullptr; };
    if (!small_.empty()) {
        if (t == 0) {
            kernels_.small_update(small_.data(), small_.size(), m, batch_.data(), step);
        }
        return;
    }
    for (std::size_t l = levels_.size(); l-- > 0;) {
        Level& level = levels_[l];
        Panels<T>& w = level.packed.weights;
        Parameters<T> weights{w.data(), or_null(level.first), or_null(level.sums), w.stride(),
                              w.count()};
        const Panels<T>& d = level.deltas;
        const Range rows = rows_of(l, t);
        const bool narrow = level.narrow(kernels_);
        T *const biases = level.packed.biases.data(), *const velocity = or_null(level.bias_first);
        if (narrow && rows.begin == 0) {
            weights.biases = biases;
            weights.bias_velocity = velocity;
        }
        step_rows(l, m, rows, weights, step, poll);
        transpose(level, rows);
        if (t == 0 && !narrow) {
            kernels_.update(m, 0, 1, {one, 0, 0}, d.data(), d.stride(),
                            {biases, velocity, nullptr, kernels_.width, w.count()}, step);
        }
    }
}

/// The share of thread t in the gradients of a batch, `scale` times the sum over its m samples and
/// the derivative of the penalty.
template <class T>
void Trainer<T>::accumulate(std::size_t m, T scale, std::size_t t, Poll poll) {
    static constexpr T one[1] = {1};
    Step<T> gradient;
    gradient.kind = Step<T>::Kind::gradient;
    gradient.scale = scale;
    for (std::size_t l = levels_.size(); l-- > 0;) {
        Level& level = levels_[l];
        Panels<T>&g = level.gradients, &w = level.packed.weights;
        const Panels<T>& d = level.deltas;
        Parameters<T> into{g.data(), nullptr, nullptr, g.stride(), g.count()};
        const Range rows = rows_of(l, t);
        const bool narrow = level.narrow(kernels_);
        if (narrow && rows.begin == 0) into.biases = level.bias_gradients.data();
        if (l == 0 && sparse_) {
            for (std::size_t p = 0; p < g.count(); ++p) {  // the kernel adds to what is there
                std::fill(g.at(p, rows.begin), g.at(p, rows.end), T(0));
            }
        }
        step_rows(l, m, rows, into, gradient, poll);
        if (optimizer_.alpha != 0) {
            for (std::size_t p = 0; p < g.count(); ++p) {
                kernels_.penalize(whole_vectors(kernels_, (rows.end - rows.begin) * w.width()),
                                  w.at(p, rows.begin), g.at(p, rows.begin), optimizer_.alpha,
                                  optimizer_.p);
            }
        }
        if (t == 0 && !narrow) {
            kernels_.update(
                m, 0, 1, {one, 0, 0}, d.data(), d.stride(),
                {level.bias_gradients.data(), nullptr, nullptr, kernels_.width, w.count()},
                gradient);
        }
    }
}

/// Of the gradient of layer l's weights.
template <class T>
double Trainer<T>::norm(std::size_t l) const {
    const Panels<T>& g = levels_[l].gradients;
    double sum = 0;
    // in an order that does not depend on the width of panels
    for (std::size_t r = 0; r < g.rows(); ++r) {
        for (std::size_t p = 0; p < g.count(); ++p) {
            const T* const row = g.data() + p * g.stride() + r * g.width();
            for (std::size_t c = 0; c < g.width(); ++c) {
                sum += static_cast<double>(row[c]) * static_cast<double>(row[c]);
            }
        }
    }
    return std::sqrt(sum);
}

/// The share of thread t in the step on the gradients times `factor`.
template <class T>
void Trainer<T>::apply(double rate, T factor, std::size_t t) {
    const Rule<T> rule = optimizer_.rule(rate, factor, steps_);
    const std::size_t width = kernels_.width;
    const auto at = [](auto& buffer, std::size_t offset) {
        return buffer.size() != 0 ? buffer.data() + offset : nullptr;
    };
    for (Level& level : levels_) {
        Panels<T>& w = level.packed.weights;
        const Range squares = share((w.rows() + width - 1) / width, t);
        const std::size_t n = (squares.end - squares.begin) * width * w.width();
        for (std::size_t p = 0; p < w.count(); ++p) {
            const std::size_t offset = p * w.stride() + squares.begin * width * w.width();
            kernels_.optimize(n, level.gradients.data() + offset, w.data() + offset,
                              at(level.first, offset), at(level.second, offset), rule);
        }
        transpose(level, {squares.begin * width, std::min(squares.end * width, w.rows())});
        if (t == 0) {
            kernels_.optimize(level.packed.biases.size(), level.bias_gradients.data(),
                              level.packed.biases.data(), at(level.bias_first, 0),
                              at(level.bias_second, 0), rule);
        }
    }
}

template void Trainer<float>::update(std::size_t, Step<float>, std::size_t, Poll);
template void Trainer<double>::update(std::size_t, Step<double>, std::size_t, Poll);
template void Trainer<float>::accumulate(std::size_t, float, std::size_t, Poll);
template void Trainer<double>::accumulate(std::size_t, double, std::size_t, Poll);
template double Trainer<float>::norm(std::size_t) const;
template double Trainer<double>::norm(std::size_t) const;
template void Trainer<float>::apply(double, float, std::size_t);
template void Trainer<double>::apply(double, double, std::size_t);

}  // namespace exactnet::dense
