#include "loss.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "elementary.hpp"
#include "samples.hpp"

namespace exactnet::dense {

template <class T>
LastLayer<T>::LastLayer(const Layer<T>& layer, const Kernels<T>& kernels, Loss loss,
                        std::size_t most_rows, const std::vector<double>& quantiles)
    : layer_(layer),
      kernels_(kernels),
      loss_(loss),
      quantiles_(quantiles.begin(), quantiles.end()) {
    if (layer.activation.kind == ActivationKind::softmax) {
        high_ = Buffer<T>(most_rows);
        sum_ = Buffer<T>(most_rows);
        total_ = Buffer<T>(most_rows);
        linear_.resize(most_rows);
    }
}

/// Calls function(panel, column in the panel, target) for every output.
template <class T>
template <class Function>
inline void LastLayer<T>::each_target(Targets<T> targets, std::size_t sample,
                                      const Function& function) const {
    const std::size_t n = layer_.outputs, width = kernels_.width;
    const auto each = [&](const auto& target) {
        std::size_t p = 0, first = 0;
        for (; n - first > width; ++p, first += width) {
            for (std::size_t c = 0; c < width; ++c) function(p, c, target(first + c));
        }
        for (std::size_t c = 0; c < n - first; ++c) function(p, c, target(first + c));
    };
    if (targets.values != nullptr) {
        const T* const values = targets.values + sample * n;
        each([=](std::size_t k) { return values[k]; });
    } else {
        const auto label = static_cast<std::size_t>(targets.labels[sample]);
        each([=](std::size_t k) { return static_cast<T>(k == label); });
    }
}

/// Squares of errors at activations, `scale` times their sum, and `factor` times the errors.
template <class T>
void LastLayer<T>::squares(std::size_t begin, std::size_t end, const Panels<T>& values,
                           Panels<T>* deltas, Targets<T> targets, const std::uint32_t* samples,
                           double* losses) const {
    const std::size_t stride = values.stride(), n = layer_.outputs;
    const bool mse = loss_ == Loss::mse;
    const T factor = mse ? T(2) / static_cast<T>(n) : T(1);
    const double scale = mse ? 1 / static_cast<double>(n) : 0.5;
    for (std::size_t r = begin; r < end; ++r) {
        const T* const a = values.data() + r * values.width();
        T* const d = deltas != nullptr ? deltas->at(0, r) : nullptr;
        double sum = 0;
        each_target(targets, samples[r], [&](std::size_t p, std::size_t c, T y) {
            const T error = a[p * stride + c] - y;
            sum += static_cast<double>(error) * static_cast<double>(error);
            if (d != nullptr) d[p * stride + c] = factor * error;
        });
        losses[r] = scale * sum;
    }
}

/// Of sigmoid outputs, from pre-activations, so that no size of z overflows.
template <class T>
double LastLayer<T>::binary_cross_entropy(const T* z, std::size_t stride, Targets<T> targets,
                                          std::size_t sample) const {
    double loss = 0;
    each_target(targets, sample, [&](std::size_t p, std::size_t c, T y) {
        const double s =
            layer_.activation.slope * (z[p * stride + c] - layer_.activation.threshold);
        // std::max drops a NaN, the product does not
        loss += std::max(s, 0.0) - s * y + log1p(exp(-std::abs(s)));
    });
    return loss;
}

/// Of outputs exp(z), from z, their logarithm.
template <class T>
double LastLayer<T>::poisson(const T* z, std::size_t stride, Targets<T> targets,
                             std::size_t sample) const {
    double loss = 0;
    each_target(targets, sample, [&](std::size_t p, std::size_t c, T target) {
        const double x = z[p * stride + c], y = target;
        loss += exp(x) - y * (x + 1);
        if (y > 0) loss += y * log(y);
    });
    return loss;
}

/// Of outputs a; and the gradient with respect to them, where it is not null. Where an output is
/// its target that is 0, one of the subgradients there.
template <class T>
double LastLayer<T>::pinball(const T* a, std::size_t stride, T* deltas, Targets<T> targets,
                             std::size_t sample) const {
    const T share = T(1) / static_cast<T>(layer_.outputs);
    double loss = 0;
    each_target(targets, sample, [&](std::size_t p, std::size_t c, T y) {
        const T q = quantiles_[p * kernels_.width + c], error = a[p * stride + c] - y;
        const T slope = error < 0 ? -q : error > 0 ? 1 - q : T(0);
        loss += static_cast<double>(slope) * static_cast<double>(error);
        if (deltas != nullptr) deltas[p * stride + c] = share * slope;
    });
    return loss / static_cast<double>(layer_.outputs);
}

template <class T>
void LastLayer<T>::finish(std::size_t begin, std::size_t end, Panels<T>& values, Panels<T>* deltas,
                          Targets<T> targets, const std::uint32_t* samples, double* losses) {
    const Activation activation = layer_.activation;
    const std::size_t n = layer_.outputs, stride = values.stride(), m = end - begin;
    const std::size_t whole = whole_vectors(kernels_, m * values.width());
    const bool softmax = activation.kind == ActivationKind::softmax;
    const bool entropy = loss_ == Loss::cross_entropy, poisson_loss = loss_ == Loss::poisson;

    if (entropy && softmax) {
        // loss = sum of y (log sum exp(z) - z): the part that is linear in z comes before softmax
        for (std::size_t r = begin; r < end; ++r) {
            const T* const z = values.at(0, r);
            double linear = 0, total = 0, check = 0;
            each_target(targets, samples[r], [&](std::size_t p, std::size_t c, T y) {
                const double x = z[p * stride + c];
                linear += y * x;
                total += y;
                check += 0 * x;  // of a NaN or infinite x, whose y may be 0: NaN
            });
            linear_[r] = linear + check;
            total_.data()[r] = static_cast<T>(total);
        }
    } else if (entropy) {
        for (std::size_t r = begin; r < end; ++r) {
            losses[r] = binary_cross_entropy(values.at(0, r), stride, targets, samples[r]);
        }
    } else if (poisson_loss) {
        for (std::size_t r = begin; r < end; ++r) {
            losses[r] = poisson(values.at(0, r), stride, targets, samples[r]);
        }
    }
    if (softmax) {
        kernels_.softmax(m, n, values.at(0, begin), stride, high_.data() + begin,
                         sum_.data() + begin);
    } else {
        for (std::size_t p = 0; p < values.count(); ++p) {
            kernels_.activate(activation, values.at(p, begin), whole);
        }
    }
    if (entropy && softmax) {
        for (std::size_t r = begin; r < end; ++r) {
            const double log_sum =
                static_cast<double>(high_.data()[r]) + log(static_cast<double>(sum_.data()[r]));
            losses[r] = static_cast<double>(total_.data()[r]) * log_sum - linear_[r];
        }
    }
    const T factor = entropy && !softmax ? static_cast<T>(activation.slope) : T(1);
    const bool square = loss_ == Loss::quadratic || loss_ == Loss::mse;
    if (square) squares(begin, end, values, deltas, targets, samples, losses);
    for (std::size_t r = begin; r < end && (!square || softmax); ++r) {
        const T* const a = values.at(0, r);
        T* const d = deltas != nullptr ? deltas->at(0, r) : nullptr;
        const T total = entropy && softmax ? total_.data()[r] : T(1);
        if (loss_ == Loss::pinball) {
            losses[r] = pinball(a, stride, d, targets, samples[r]);
        } else if (!square && d != nullptr) {
            each_target(targets, samples[r], [&](std::size_t p, std::size_t c, T y) {
                d[p * stride + c] = factor * (a[p * stride + c] * total - y);
            });
        }
        if (softmax && !entropy && d != nullptr) {
            T mean = 0;
            const auto each = [&](const auto& function) {
                for (std::size_t k = 0; k < n; ++k) {
                    function(k / values.width() * stride + k % values.width());
                }
            };
            each([&](std::size_t at) { mean += a[at] * d[at]; });
            each([&](std::size_t at) { d[at] = a[at] * (d[at] - mean); });
        }
    }
    if (targets.weights != nullptr) {
        for (std::size_t r = begin; r < end; ++r) {
            const T weight = targets.weights[samples[r]];
            losses[r] *= static_cast<double>(weight);
            if (deltas == nullptr) continue;
            for (std::size_t p = 0; p < deltas->count(); ++p) {
                T* const d = deltas->at(p, r);
                for (std::size_t c = 0; c < deltas->width(); ++c) d[c] *= weight;
            }
        }
    }
    if (deltas == nullptr) return;
    if (!entropy && !poisson_loss && !softmax) {
        for (std::size_t p = 0; p < values.count(); ++p) {
            kernels_.multiply_derivative(activation, values.at(p, begin), deltas->at(p, begin),
                                         whole);
        }
    }
}

namespace {

/// The class that row r of the activations tells; NaN counts as largest, as in NumPy's argmax.
template <class T>
std::int64_t decided(const Layer<T>& layer, const Panels<T>& values, std::size_t r) {
    const T* const row = values.data() + r * values.width();
    if (layer.outputs == 1 && layer.activation.kind != ActivationKind::softmax) {
        return row[0] > T(0.5) ? 1 : 0;
    }
    std::size_t best = 0;
    T largest = row[0];
    for (std::size_t k = 1; k < layer.outputs; ++k) {
        const T value = row[k / values.width() * values.stride() + k % values.width()];
        if (value > largest || (std::isnan(value) && !std::isnan(largest))) {
            best = k;
            largest = value;
        }
    }
    return static_cast<std::int64_t>(best);
}

}  // namespace

template <class T>
Evaluation evaluate(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, Loss loss,
                    const Matrix<T>& x, Targets<T> targets, const std::int64_t* classes, Poll poll,
                    const std::vector<double>& quantiles, std::size_t n_threads) {
    const Layer<T>& layer = layers.back();
    constexpr std::size_t part = Forward<T>::part;
    std::vector<std::uint32_t> samples(part);
    std::iota(samples.begin(), samples.end(), 0U);
    std::vector<double> losses(x.n);
    std::atomic<std::size_t> correct{0};
    const bool finite = forward_all(layers, kernels, x, n_threads, poll, [&] {
        return [&, last = LastLayer<T>(layer, kernels, loss, part, quantiles)](
                   std::size_t begin, std::size_t m, Panels<T>& z) mutable {
            Targets<T> some = targets;
            if (some.values != nullptr) some.values += begin * layer.outputs;
            if (some.labels != nullptr) some.labels += begin;
            if (some.weights != nullptr) some.weights += begin;
            last.finish(0, m, z, nullptr, some, samples.data(), losses.data() + begin);
            if (classes == nullptr) return;
            for (std::size_t r = 0; r < m; ++r) {
                if (decided(layer, z, r) == classes[begin + r]) ++correct;
            }
        };
    });
    if (!finite) return {false, 0, 0};
    // in the order of the samples, whatever thread had them
    const double total = std::accumulate(losses.begin(), losses.end(), 0.0);
    return {true, total / static_cast<double>(x.n), correct};
}

template class LastLayer<float>;
template class LastLayer<double>;
template Evaluation evaluate(const std::vector<Layer<float>>&, const Kernels<float>&, Loss,
                             const Matrix<float>&, Targets<float>, const std::int64_t*, Poll,
                             const std::vector<double>&, std::size_t);
template Evaluation evaluate(const std::vector<Layer<double>>&, const Kernels<double>&, Loss,
                             const Matrix<double>&, Targets<double>, const std::int64_t*, Poll,
                             const std::vector<double>&, std::size_t);

}  // namespace exactnet::dense
