#include "trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <exception>
#include <limits>
#include <numeric>

namespace exactnet::dense {

template <class T>
Trainer<T>::Level::Level(const Layer<T>& layer, const Kernels<T>& kernels, std::size_t batch_size)
    : packed(layer, kernels),
      values(batch_size, layer.outputs, kernels.width),
      deltas(batch_size, layer.outputs, kernels.width) {}

template <class T>
Trainer<T>::Trainer(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, Data<T> data,
                    std::size_t batch_size, Loss loss, Optimizer optimizer, std::size_t n_threads)
    : kernels_(kernels),
      data_(data),
      samples_(data.x, data.n, layers.front().inputs),
      optimizer_(optimizer),
      batch_size_(batch_size),
      last_(layers.back(), kernels, loss, batch_size),
      order_(data.n),
      losses_(batch_size),
      team_(n_threads) {
    const std::size_t width = kernels.width;
    levels_.reserve(layers.size());
    for (const Layer<T>& layer : layers) {
        Level& level = levels_.emplace_back(layer, kernels, batch_size);
        if (levels_.size() > 1) {
            level.transposed = Panels<T>(layer.outputs, layer.inputs, width);
        }
        if (optimizer.momentum != 0) {
            level.velocity = Panels<T>(layer.inputs, layer.outputs, width);
            level.bias_velocity = Buffer<T>(level.packed.biases.size());
        }
    }
    Level& first = levels_.front();
    if (samples_.sparse()) {
        rows_.resize(batch_size);
        if (optimizer.momentum != 0) {
            first.sums = Panels<T>(first.packed.source.inputs, first.packed.source.outputs, width);
        }
    } else {
        batch_ = Panels<T>(batch_size, layers.front().inputs, width);
    }
    std::iota(order_.begin(), order_.end(), 0U);
    snapshot(false);
}

template <class T>
void Trainer<T>::read() {
    for (Level& level : levels_) {
        level.packed.read();
        transpose(level, {0, level.packed.weights.rows()});
    }
}

template <class T>
void Trainer<T>::write() {
    for (Level& level : levels_) level.packed.write();
}

template <class T>
void Trainer<T>::write_velocity(std::size_t l, T* weights, T* biases) {
    levels_[l].velocity.write_transposed(weights);
    std::copy_n(levels_[l].bias_velocity.data(), levels_[l].packed.source.outputs, biases);
}

template <class T>
void Trainer<T>::read_velocity(std::size_t l, const T* weights, const T* biases) {
    levels_[l].velocity.read_transposed(weights);
    std::copy_n(biases, levels_[l].packed.source.outputs, levels_[l].bias_velocity.data());
}

/// The part of n units of work that thread t does.
template <class T>
typename Trainer<T>::Range Trainer<T>::share(std::size_t n, std::size_t t) const {
    return {n * t / team_.size(), n * (t + 1) / team_.size()};
}

template <class T>
void Trainer<T>::transpose(Level& level, Range rows) {
    if (level.transposed.size() == 0) return;
    kernels_.transpose(rows.begin, rows.end, level.packed.weights.data(),
                       level.packed.weights.stride(), level.packed.weights.count(),
                       level.transposed.data(), level.transposed.stride());
}

/// Of rows of the batch that begins with order_[first]: pre-activations of the last layer.
template <class T>
void Trainer<T>::forward(std::size_t first, Range rows) {
    const std::size_t m = rows.end - rows.begin;
    for (std::size_t r = rows.begin; r < rows.end; ++r) {
        const std::uint32_t sample = order_[first + r];
        if (samples_.sparse()) {
            rows_[r] = samples_.row(sample);
        } else {
            samples_.copy(sample, batch_, r);
        }
        const std::size_t next = first + r + batch_size_;
        if (next < order_.size()) samples_.prefetch(order_[next]);
    }
    for (std::size_t l = 0; l < levels_.size(); ++l) {
        Level& level = levels_[l];
        const PackedLayer<T>& packed = level.packed;
        const Panels<T>& w = packed.weights;
        T* const z = level.values.at(0, rows.begin);
        if (l == 0 && samples_.sparse()) {
            kernels_.sparse_product(m, w.rows(), rows_.data() + rows.begin, w.data(), w.stride(),
                                    w.count(), packed.biases.data(), z, level.values.stride());
        } else {
            const Panels<T>& inputs = l == 0 ? batch_ : levels_[l - 1].values;
            kernels_.product(m, w.rows(), inputs.view(rows.begin), w.data(), w.stride(), w.count(),
                             packed.biases.data(), z, level.values.stride());
        }
        if (l + 1 == levels_.size()) break;
        for (std::size_t p = 0; p < level.values.count(); ++p) {
            kernels_.activate(packed.source.activation, level.values.at(p, rows.begin),
                              m * kernels_.width);
        }
    }
}

/// Deltas of rows of the batch, from the last layer down. The padding of deltas stays 0: it comes
/// from columns of zeros, times finite derivatives.
template <class T>
void Trainer<T>::backward(Range rows) {
    const std::size_t m = rows.end - rows.begin;
    for (std::size_t l = levels_.size() - 1; l > 0; --l) {
        Level &level = levels_[l], &below = levels_[l - 1];
        const Panels<T>& w = level.transposed;
        kernels_.product(m, w.rows(), level.deltas.view(rows.begin), w.data(), w.stride(),
                         w.count(), nullptr, below.deltas.at(0, rows.begin), below.deltas.stride());
        for (std::size_t p = 0; p < below.deltas.count(); ++p) {
            kernels_.multiply_derivative(below.packed.source.activation,
                                         below.values.at(p, rows.begin),
                                         below.deltas.at(p, rows.begin), m * kernels_.width);
        }
    }
}

/// The share of thread t in the step of a batch of m samples; on the layers or on others `into`.
template <class T>
void Trainer<T>::update(std::size_t m, Step<T> step, std::size_t t,
                        std::vector<PackedLayer<T>>* into) {
    static constexpr T one[1] = {1};
    const auto or_null = [](auto& buffer) { return buffer.size() != 0 ? buffer.data() : nullptr; };
    for (std::size_t l = levels_.size(); l-- > 0;) {
        Level& level = levels_[l];
        PackedLayer<T>& packed = into != nullptr ? (*into)[l] : level.packed;
        Panels<T>& w = packed.weights;
        const Parameters<T> weights{w.data(), or_null(level.velocity), or_null(level.sums),
                                    w.stride(), w.count()};
        const Panels<T>& d = level.deltas;
        if (l == 0 && samples_.sparse()) {
            const Range blocks = share((w.rows() + sparse_block - 1) / sparse_block, t);
            kernels_.sparse_update(m, w.rows(), blocks.begin, blocks.end, rows_.data(), d.data(),
                                   d.stride(), weights, step);
        } else {
            const std::size_t width = kernels_.width;
            const Range squares = share((w.rows() + width - 1) / width, t);
            const Panels<T>& inputs = l == 0 ? batch_ : levels_[l - 1].values;
            kernels_.update(m, squares.begin * width, std::min(squares.end * width, w.rows()),
                            inputs.view(), d.data(), d.stride(), weights, step);
            if (into == nullptr) transpose(level, {squares.begin * width, squares.end * width});
        }
        if (t == 0) {
            const Parameters<T> biases{packed.biases.data(), or_null(level.bias_velocity), nullptr,
                                       kernels_.width, w.count()};
            kernels_.update(m, 0, 1, {one, 0, 0}, d.data(), d.stride(), biases, step);
        }
    }
}

/// Copies all parameters aside, or back.
template <class T>
void Trainer<T>::snapshot(bool restore) {
    std::size_t next = 0;
    const auto copy = [&](auto& values) {
        if (values.size() == 0) return;
        if (next == snapshot_.size()) snapshot_.emplace_back(values.size());
        T *to = snapshot_[next++].data(), *from = values.data();
        if (restore) std::swap(to, from);
        std::copy_n(from, values.size(), to);
    };
    for (Level& level : levels_) {
        copy(level.packed.weights);
        copy(level.packed.biases);
        copy(level.velocity);
        copy(level.bias_velocity);
    }
}

/// Returns the sum of the losses of all samples. Ends early when that is not finite.
template <class T>
double Trainer<T>::epoch(const std::function<void()>& poll) {
    using Kind = typename Step<T>::Kind;
    Step<T> step;
    step.kind = optimizer_.momentum == 0 ? Kind::sgd
                : optimizer_.nesterov    ? Kind::nesterov
                                         : Kind::momentum;
    step.momentum = static_cast<T>(optimizer_.momentum);
    double result = 0;
    bool stop = false;  // written by the first thread, read by all after a barrier
    std::exception_ptr error;
    // Within a batch every thread first does all that concerns its samples, then all that concerns
    // its weights: two barriers, whatever the depth.
    const auto work = [&](std::size_t t) {
        Step<T> mine = step;
        double sum = 0;
        for (std::size_t first = 0; first < order_.size(); first += batch_size_) {
            const std::size_t m = std::min(batch_size_, order_.size() - first);
            const Range rows = share(m, t);
            if (rows.begin < rows.end) {
                Level& last = levels_.back();
                forward(first, rows);
                last_.finish(rows.begin, rows.end, last.values, &last.deltas, data_.targets,
                             order_.data() + first, losses_.data());
                backward(rows);
            }
            team_.barrier();
            for (std::size_t r = 0; r < m; ++r) sum += losses_[r];
            if (!std::isfinite(sum)) break;  // in all threads
            mine.scale = static_cast<T>(-optimizer_.learning_rate / static_cast<double>(m));
            update(m, mine, t, nullptr);
            if (t == 0) {
                try {
                    poll();
                } catch (...) {
                    error = std::current_exception();
                    stop = true;
                }
            }
            team_.barrier();
            if (stop) break;
        }
        if (t == 0) result = sum;
    };
    team_.run(std::ref(work));  // by reference: nothing to allocate
    if (error) std::rethrow_exception(error);
    return result;
}

template <class T>
std::size_t Trainer<T>::run(std::span<double> losses, std::span<double> seconds, Generator* shuffle,
                            const std::function<void()>& poll) {
    using Clock = std::chrono::steady_clock;
    for (std::size_t e = 0; e < losses.size(); ++e) {
        const auto start = Clock::now();
        snapshot(false);
        if (shuffle != nullptr) {
            std::iota(order_.begin(), order_.end(), 0U);
            for (std::size_t i = order_.size(); i > 1; --i) {
                std::swap(order_[i - 1], order_[shuffle->below(static_cast<std::uint32_t>(i))]);
            }
        }
        losses[e] = epoch(poll) / static_cast<double>(order_.size());
        if (!std::isfinite(losses[e])) {
            snapshot(true);
            for (Level& level : levels_) transpose(level, {0, level.packed.weights.rows()});
            return e;
        }
        seconds[e] = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return losses.size();
}

template <class T>
void Trainer<T>::gradients(std::vector<Layer<T>>& gradients) {
    std::vector<PackedLayer<T>> packed;
    for (const Layer<T>& layer : gradients) packed.emplace_back(layer, kernels_);
    // a step `gradient` of sparse rows adds to zeros
    std::fill_n(packed.front().weights.data(), packed.front().weights.size(), T(0));
    read();
    Level& last = levels_.back();
    const std::size_t m = order_.size();
    forward(0, {0, m});
    last_.finish(0, m, last.values, &last.deltas, data_.targets, order_.data(), losses_.data());
    backward({0, m});
    Step<T> step;
    step.kind = Step<T>::Kind::gradient;
    step.scale = T(1) / static_cast<T>(m);
    update(m, step, 0, &packed);
    for (PackedLayer<T>& layer : packed) layer.write();
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace exactnet::dense
