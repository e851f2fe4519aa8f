#include "trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace exactnet::dense {
namespace {

template <class T>
T target_at(Targets<T> targets, std::size_t sample, std::size_t output, std::size_t n_outputs) {
    return targets.labels != nullptr
               ? static_cast<T>(targets.labels[sample] == static_cast<std::int64_t>(output))
               : targets.values[sample * n_outputs + output];
}

/// Cross entropy of one sample, from pre-activations, so that no size of z overflows.
template <class T>
double cross_entropy(const Layer<T>& last, const T* z, Targets<T> targets, std::size_t sample) {
    const std::size_t n = last.outputs;
    double loss = 0;
    if (last.activation.kind == ActivationKind::softmax) {
        const double high = *std::max_element(z, z + n);
        double sum = 0;
        for (std::size_t k = 0; k < n; ++k) sum += std::exp(z[k] - high);
        const double log_sum = high + std::log(sum);
        for (std::size_t k = 0; k < n; ++k) {
            const double y = target_at(targets, sample, k, n);
            if (y != 0) loss += y * (log_sum - z[k]);
        }
    } else {
        for (std::size_t k = 0; k < n; ++k) {
            const double y = target_at(targets, sample, k, n);
            const double s = last.activation.slope * (z[k] - last.activation.threshold);
            loss += std::max(s, 0.0) - s * y + std::log1p(std::exp(-std::abs(s)));
        }
    }
    // std::max and comparisons may drop a NaN; the sum of the pre-activations does not
    return std::isnan(std::accumulate(z, z + n, 0.0)) ? std::nan("") : loss;
}

/// The squared losses of one sample from its outputs.
template <class T>
double squared_loss(Loss loss, std::size_t n, const T* a, Targets<T> targets, std::size_t sample) {
    double sum = 0;
    for (std::size_t k = 0; k < n; ++k) {
        const double e = static_cast<double>(a[k]) - target_at(targets, sample, k, n);
        sum += e * e;
    }
    return loss == Loss::quadratic ? sum / 2 : sum / static_cast<double>(n);
}

}  // namespace

template <class T>
double mean_loss(Loss loss, const Layer<T>& last, const Kernels<T>& kernels, const T* z,
                 std::size_t n, Targets<T> targets) {
    const std::size_t width = last.outputs;
    Buffer<T> a(round_up(width, kernels.width));
    double sum = 0;
    for (std::size_t r = 0; r < n; ++r) {
        const T* row = z + r * width;
        if (loss == Loss::cross_entropy) {
            sum += cross_entropy(last, row, targets, r);
        } else {
            std::copy_n(row, width, a.data());
            kernels.activate(last.activation, a.data(), 1, width, 0);
            sum += squared_loss(loss, width, a.data(), targets, r);
        }
    }
    return sum / static_cast<double>(n);
}

template <class T>
Trainer<T>::Level::Level(const Layer<T>& layer, const Kernels<T>& kernels, std::size_t batch_size,
                         bool with_velocity)
    : packed(layer, kernels),
      values(batch_size * packed.padded_outputs()),
      deltas(batch_size * packed.padded_outputs()) {
    if (with_velocity) {
        velocity = Panels<T>(layer.inputs, layer.outputs, kernels.width);
        bias_velocity = Buffer<T>(packed.padded_outputs());
    }
}

template <class T>
Trainer<T>::Trainer(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels,
                    std::size_t batch_size, Loss loss, Optimizer optimizer)
    : kernels_(kernels),
      loss_(loss),
      optimizer_(optimizer),
      batch_(batch_size * layers.front().inputs),
      rows_(batch_size),
      samples_(batch_size),
      flags_(layers.front().inputs),
      used_(layers.front().inputs) {
    std::size_t widest = 0;
    levels_.reserve(layers.size());
    for (const Layer<T>& layer : layers) {
        levels_.emplace_back(layer, kernels, batch_size, optimizer.momentum != 0);
        if (levels_.size() > 1) {
            levels_.back().transposed = Panels<T>(layer.outputs, layer.inputs, kernels.width);
        }
        widest = std::max(widest, round_up(layer.inputs, kernels.width));
    }
    zeros_ = Buffer<T>(widest);
}

template <class T>
void Trainer<T>::read() {
    for (Level& level : levels_) level.packed.read();
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

/// Brings the batch's samples together. Where many inputs are 0 in all of them, as at the border of
/// images, only the others are kept: the first layer then costs no more than those.
template <class T>
void Trainer<T>::gather(const T* x, std::size_t m) {
    const std::size_t n = levels_.front().packed.source.inputs;
    for (std::size_t r = 0; r < m; ++r) rows_[r] = x + samples_[r] * n;
    kernels_.scan(rows_.data(), m, n, flags_.data());
    n_used_ = 0;
    for (std::size_t k = 0; k < n; ++k) {
        used_[n_used_] = static_cast<std::uint32_t>(k);
        n_used_ += flags_[k] != 0 ? 1 : 0;
    }
    compressed_ = n_used_ < n - n / 8;
    if (!compressed_) {
        n_used_ = n;
        for (std::size_t r = 0; r < m; ++r) std::copy_n(rows_[r], n, batch_.data() + r * n);
        return;
    }
    for (std::size_t r = 0; r < m; ++r) {
        const T* const row = rows_[r];
        for (std::size_t k = 0; k < n_used_; ++k) batch_.data()[k * m + r] = row[used_[k]];
    }
}

/// The inputs of layer l in the current batch.
template <class T>
Inputs<T> Trainer<T>::inputs_of(std::size_t l) const {
    if (l > 0) {
        return {levels_[l - 1].values.data(), levels_[l - 1].packed.padded_outputs(), 1};
    }
    return {batch_.data(), levels_.front().packed.source.inputs, 1};
}

template <class T>
double Trainer<T>::forward_and_delta(const T* x, Targets<T> targets, std::size_t m) {
    gather(x, m);
    for (std::size_t l = 0; l < levels_.size(); ++l) {
        Level& level = levels_[l];
        const PackedLayer<T>& packed = level.packed;
        const bool sparse = l == 0 && compressed_;
        const Inputs<T> a = sparse ? Inputs<T>{batch_.data(), 1, m} : inputs_of(l);
        kernels_.product(m, l == 0 ? n_used_ : packed.source.inputs, a,
                         sparse ? used_.data() : nullptr, packed.weights.data(),
                         packed.weights.stride(), packed.weights.count(), packed.biases.data(),
                         level.values.data(), packed.padded_outputs());
        if (l + 1 < levels_.size()) {
            kernels_.activate(packed.source.activation, level.values.data(), m,
                              packed.source.outputs, packed.padded_outputs());
        }
    }
    Level& last = levels_.back();
    const Layer<T>& layer = last.packed.source;
    const std::size_t n = layer.outputs, stride = last.packed.padded_outputs();
    const bool softmax = layer.activation.kind == ActivationKind::softmax;
    double sum = 0;
    if (loss_ == Loss::cross_entropy) {
        for (std::size_t r = 0; r < m; ++r) {
            sum += cross_entropy(layer, last.values.data() + r * stride, targets, samples_[r]);
        }
    }
    kernels_.activate(layer.activation, last.values.data(), m, n, stride);
    for (std::size_t r = 0; r < m; ++r) {
        const T* const a = last.values.data() + r * stride;
        T* const d = last.deltas.data() + r * stride;
        if (loss_ == Loss::cross_entropy) {
            // d loss / d z; of softmax for targets of any sum
            T total = 1;
            if (softmax && targets.values != nullptr) {
                total = std::accumulate(targets.values + samples_[r] * n,
                                        targets.values + (samples_[r] + 1) * n, T(0));
            }
            const T factor = softmax ? T(1) : static_cast<T>(layer.activation.slope);
            for (std::size_t k = 0; k < n; ++k) {
                d[k] = factor * (a[k] * total - target_at(targets, samples_[r], k, n));
            }
            continue;
        }
        sum += squared_loss(loss_, n, a, targets, samples_[r]);
        const T factor = loss_ == Loss::quadratic ? T(1) : T(2) / static_cast<T>(n);
        for (std::size_t k = 0; k < n; ++k) {
            d[k] = factor * (a[k] - target_at(targets, samples_[r], k, n));
        }
        if (softmax) {
            T mean = 0;
            for (std::size_t k = 0; k < n; ++k) mean += a[k] * d[k];
            for (std::size_t k = 0; k < n; ++k) d[k] = a[k] * (d[k] - mean);
        }
    }
    if (loss_ != Loss::cross_entropy) {
        kernels_.multiply_derivative(layer.activation, last.values.data(), last.deltas.data(),
                                     m * stride);
    }
    return sum;
}

/// Deltas from the last layer down; every layer is updated as soon as the delta below it is known.
template <class T>
void Trainer<T>::backward(std::size_t m, Step<T> step, std::vector<PackedLayer<T>>* gradients) {
    static constexpr T one[1] = {1};
    for (std::size_t l = levels_.size(); l-- > 0;) {
        Level& level = levels_[l];
        PackedLayer<T>& packed = level.packed;
        const std::size_t stride = packed.padded_outputs();
        if (l > 0) {
            Level& below = levels_[l - 1];
            const std::size_t n = packed.source.inputs, padded = below.packed.padded_outputs();
            Panels<T>& w = level.transposed;
            for (std::size_t k = 0; k < n; ++k) {
                for (std::size_t o = 0; o < packed.source.outputs; ++o) {
                    w.at(o, k) = packed.weights.at(k, o);
                }
            }
            kernels_.product(m, packed.source.outputs, {level.deltas.data(), stride, 1}, nullptr,
                             w.data(), w.stride(), w.count(), zeros_.data(), below.deltas.data(),
                             padded);
            kernels_.multiply_derivative(below.packed.source.activation, below.values.data(),
                                         below.deltas.data(), m * padded);
            // Padded units have activations but no weights; their deltas stay 0 by the zero columns
            // of w, times a finite derivative.
        }
        PackedLayer<T>& into = gradients != nullptr ? (*gradients)[l] : packed;
        T* const velocity = level.velocity.size() != 0 ? level.velocity.data() : nullptr;
        T* const bias_velocity =
            level.bias_velocity.size() != 0 ? level.bias_velocity.data() : nullptr;
        const bool sparse = l == 0 && compressed_;
        const Inputs<T> a = sparse ? Inputs<T>{batch_.data(), 1, m} : inputs_of(l);
        kernels_.update(m, l == 0 ? n_used_ : packed.source.inputs, a,
                        sparse ? used_.data() : nullptr, level.deltas.data(), stride,
                        into.weights.data(), velocity, into.weights.stride(), into.weights.count(),
                        step);
        if (sparse && velocity != nullptr) {
            // inputs that were 0 have no gradient, but their weights still move
            std::size_t next = 0;
            const std::size_t width = kernels_.width;
            for (std::size_t k = 0; k < packed.source.inputs; ++k) {
                if (next < n_used_ && used_[next] == k) {
                    ++next;
                    continue;
                }
                for (std::size_t p = 0; p < into.weights.count(); ++p) {
                    const std::size_t at = p * into.weights.stride() + k * width;
                    kernels_.coast(into.weights.data() + at, velocity + at, width, step);
                }
            }
        }
        kernels_.update(m, 1, {one, 0, 0}, nullptr, level.deltas.data(), stride, into.biases.data(),
                        bias_velocity, kernels_.width, into.weights.count(), step);
    }
}

template <class T>
double Trainer<T>::epoch(const T* x, Targets<T> targets, std::span<const std::uint32_t> order,
                         const std::function<void()>& poll) {
    using Kind = typename Step<T>::Kind;
    Step<T> step;
    step.kind = optimizer_.momentum == 0 ? Kind::sgd
                : optimizer_.nesterov    ? Kind::nesterov
                                         : Kind::momentum;
    step.momentum = static_cast<T>(optimizer_.momentum);
    double sum = 0;
    for (std::size_t begin = 0; begin < order.size(); begin += rows_.size()) {
        poll();
        const std::size_t m = std::min(rows_.size(), order.size() - begin);
        std::copy_n(order.begin() + static_cast<std::ptrdiff_t>(begin), m, samples_.begin());
        sum += forward_and_delta(x, targets, m);
        if (!std::isfinite(sum)) return sum;
        step.scale = static_cast<T>(-optimizer_.learning_rate / static_cast<double>(m));
        backward(m, step, nullptr);
    }
    return sum;
}

template <class T>
double Trainer<T>::gradients(const T* x, Targets<T> targets, std::size_t n,
                             std::vector<Layer<T>>& gradients) {
    std::vector<PackedLayer<T>> packed;
    for (const Layer<T>& layer : gradients) packed.emplace_back(layer, kernels_);
    // Inputs that are 0 throughout are left out of the pass below.
    for (PackedLayer<T>& layer : packed) {
        std::fill_n(layer.weights.data(), layer.weights.size(), T(0));
    }
    std::iota(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(n), std::size_t{0});
    const double sum = forward_and_delta(x, targets, n);
    Step<T> step;
    step.kind = Step<T>::Kind::gradient;
    step.scale = T(1) / static_cast<T>(n);
    backward(n, step, &packed);
    for (PackedLayer<T>& layer : packed) layer.write();
    return sum;
}

template class Trainer<float>;
template class Trainer<double>;
template double mean_loss(Loss, const Layer<float>&, const Kernels<float>&, const float*,
                          std::size_t, Targets<float>);
template double mean_loss(Loss, const Layer<double>&, const Kernels<double>&, const double*,
                          std::size_t, Targets<double>);

}  // namespace exactnet::dense
