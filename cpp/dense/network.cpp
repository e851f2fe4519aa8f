#include "network.hpp"

#include <algorithm>

#include "samples.hpp"

namespace exactnet::dense {
namespace {

/// Activates rows of a matrix in panels.
template <class T>
void activate(const Kernels<T>& kernels, const Layer<T>& layer, Panels<T>& values, std::size_t m,
              T* scratch) {
    if (layer.activation.kind == ActivationKind::softmax) {
        kernels.softmax(m, layer.outputs, values.data(), values.stride(), scratch, scratch + m);
        return;
    }
    for (std::size_t p = 0; p < values.count(); ++p) {
        kernels.activate(layer.activation, values.at(p, 0), m * values.width());
    }
}

template <class T>
bool predict_few(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, const Matrix<T>& x,
                 T* outputs, Poll poll) {
    std::size_t widest = 0;
    for (const Layer<T>& layer : layers) {
        widest = std::max(widest, round_up(layer.outputs, kernels.width));
    }
    constexpr std::size_t usual = 512;  // two layers that fit here need no heap
    alignas(alignment) T stack[usual];
    Buffer<T> heap(2 * widest <= usual ? 0 : 2 * widest);
    T* const scratch = heap.size() != 0 ? heap.data() : stack;
    std::vector<T> space;
    for (std::size_t r = 0; r < x.n; ++r) {
        const T* input = x.rows(r, 1, space);
        if (!all_finite(input, layers.front().inputs)) return false;
        T *now = scratch, *other = scratch + widest;
        for (const Layer<T>& layer : layers) {
            const std::size_t padded = round_up(layer.outputs, kernels.width);
            const std::size_t most = round_up(Poll::unit / layer.inputs + 1, 4);
            for (std::size_t k = 0; k < layer.outputs; k += most) {
                const std::size_t count = std::min(most, layer.outputs - k);
                kernels.dot_rows(layer.weights + k * layer.inputs, layer.biases + k, input, count,
                                 layer.inputs, now + k);
                poll.done(count * layer.inputs);
            }
            std::fill(now + layer.outputs, now + padded, T(0));
            if (layer.activation.kind == ActivationKind::softmax) {
                T high, sum;
                kernels.softmax(1, layer.outputs, now, kernels.width, &high, &sum);
            } else {
                kernels.activate(layer.activation, now, padded);
            }
            input = now;
            std::swap(now, other);
        }
        std::copy_n(input, layers.back().outputs, outputs + r * layers.back().outputs);
    }
    return true;
}

template <class T>
bool predict_many(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels,
                  const Matrix<T>& x, T* outputs, Poll poll) {
    const std::size_t n = x.n;
    Forward<T> forward(layers, kernels, n, poll);
    std::vector<T> space;
    const Layer<T>& last = layers.back();
    Buffer<T> scratch(2 * forward.part());
    for (std::size_t begin = 0; begin < n; begin += forward.part()) {
        const std::size_t m = std::min(forward.part(), n - begin);
        const T* const part = x.rows(begin, m, space);
        if (!all_finite(part, m * layers.front().inputs)) return false;  // while it is in cache
        Panels<T>& z = forward.run(part, m, poll);
        activate(kernels, last, z, m, scratch.data());
        for (std::size_t r = 0; r < m; ++r) {
            T* const row = outputs + (begin + r) * last.outputs;
            for (std::size_t p = 0, k = 0; p < z.count(); ++p, k += z.width()) {
                std::copy_n(z.at(p, r), std::min(z.width(), last.outputs - k), row + k);
            }
        }
    }
    return true;
}

}  // namespace

template <class T>
Forward<T>::Forward(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels,
                    std::size_t n_samples, Poll poll)
    : kernels_(kernels), part_(std::min<std::size_t>(n_samples, 96)) {
    for (const Layer<T>& layer : layers) {
        layers_.emplace_back(layer, kernels, poll);
        values_.emplace_back(part_, layer.outputs, kernels.width);
    }
}

template <class T>
Panels<T>& Forward<T>::run(const T* x, std::size_t m, Poll& poll) {
    View<T> input{x, layers_.front().source.inputs, kernels_.width};
    for (std::size_t l = 0; l < layers_.size(); ++l) {
        const PackedLayer<T>& layer = layers_[l];
        Panels<T>& values = values_[l];
        product(kernels_, m, input, layer.weights, layer.biases.data(), values, 0, poll);
        if (l + 1 < layers_.size()) {
            activate<T>(kernels_, layer.source, values, m, nullptr);
        }
        input = values.view();
    }
    return values_.back();
}

template <class T>
bool predict(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, const Matrix<T>& x,
             T* outputs, Poll poll) {
    constexpr std::size_t few = 8;  // from here on packing pays
    return (x.n < few ? predict_few<T> : predict_many<T>)(layers, kernels, x, outputs, poll);
}

template class Forward<float>;
template class Forward<double>;
template bool predict(const std::vector<Layer<float>>&, const Kernels<float>&, const Matrix<float>&,
                      float*, Poll);
template bool predict(const std::vector<Layer<double>>&, const Kernels<double>&,
                      const Matrix<double>&, double*, Poll);

}  // namespace exactnet::dense
