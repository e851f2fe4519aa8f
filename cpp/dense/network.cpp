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
                  const Matrix<T>& x, T* outputs, std::size_t n_threads, Poll poll) {
    const Layer<T>& last = layers.back();
    const bool softmax = last.activation.kind == ActivationKind::softmax;
    return forward_all(layers, kernels, x, n_threads, poll, [&] {
        return [&, scratch = Buffer<T>(softmax ? 2 * Forward<T>::part : 0)](
                   std::size_t begin, std::size_t m, Panels<T>& z) mutable {
            activate(kernels, last, z, m, scratch.data());
            for (std::size_t r = 0; r < m; ++r) {
                T* const row = outputs + (begin + r) * last.outputs;
                for (std::size_t p = 0, k = 0; p < z.count(); ++p, k += z.width()) {
                    std::copy_n(z.at(p, r), std::min(z.width(), last.outputs - k), row + k);
                }
            }
        };
    });
}

}  // namespace

template <class T>
PackedLayers<T>::PackedLayers(const std::vector<Layer<T>>& all, const Kernels<T>& with, Poll poll)
    : kernels(with) {
    constexpr std::size_t fewest_inputs = 64;  // that are worth a look
    for (const Layer<T>& layer : all) layers.emplace_back(layer, with, poll);
    const Panels<T>& first = layers.front().weights;
    skips = first.rows() >= fewest_inputs && all_finite(first.data(), first.size(), poll);
}

template <class T>
Forward<T>::Forward(const PackedLayers<T>& packed, std::size_t n_samples) : packed_(packed) {
    const std::size_t rows = std::min(n_samples, part), width = packed.kernels.width;
    for (const PackedLayer<T>& layer : packed.layers) {
        values_.emplace_back(rows, layer.source.outputs, width);
    }
}

/// The product of the first layer, which leaves out what is 0 where most of X is.
template <class T>
bool Forward<T>::run_first(const T* x, std::size_t m, Poll& poll) {
    const Kernels<T>& kernels = packed_.kernels;
    const PackedLayer<T>& layer = packed_.layers.front();
    const Panels<T>& w = layer.weights;
    const T* const bias = layer.biases.data();
    Panels<T>& z = values_.front();
    const std::size_t n = w.rows();
    bool done = false;
    // one sample tells, or else costs little
    if (packed_.skips && 2 * static_cast<std::size_t>(std::count(x, x + n, T(0))) >= n) {
        lists_.resize((part + kernels.list_rows - 1) / kernels.list_rows * (n + 1));
        if (!kernels.list_columns(m, n, x, lists_.data())) return false;
        done = true;
        each_panels(m, w, poll, [&](std::size_t p, std::size_t count) {
            done &= kernels.listed_product(m, n, x, lists_.data(), w.data() + p * w.stride(),
                                           w.stride(), count, bias + p * w.width(), z.at(p, 0),
                                           z.stride());
        });
    } else if (!all_finite(x, m * n)) {  // which brings it into the cache
        return false;
    }
    if (!done) product(kernels, m, {x, n, kernels.width}, w, bias, z, 0, poll);
    return true;
}

template <class T>
Panels<T>* Forward<T>::run(const T* x, std::size_t m, Poll& poll) {
    if (!run_first(x, m, poll)) return nullptr;
    const Kernels<T>& kernels = packed_.kernels;
    for (std::size_t l = 1; l < values_.size(); ++l) {
        const PackedLayer<T>& layer = packed_.layers[l];
        Panels<T>& below = values_[l - 1];
        activate<T>(kernels, packed_.layers[l - 1].source, below, m, nullptr);
        product(kernels, m, below.view(), layer.weights, layer.biases.data(), values_[l], 0, poll);
    }
    return &values_.back();
}

template <class T>
bool predict(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, const Matrix<T>& x,
             T* outputs, std::size_t n_threads, Poll poll) {
    constexpr std::size_t few = 8;  // from here on packing pays
    if (x.n < few) return predict_few(layers, kernels, x, outputs, poll);
    return predict_many(layers, kernels, x, outputs, n_threads, poll);
}

template struct PackedLayers<float>;
template struct PackedLayers<double>;
template class Forward<float>;
template class Forward<double>;
template bool predict(const std::vector<Layer<float>>&, const Kernels<float>&, const Matrix<float>&,
                      float*, std::size_t, Poll);
template bool predict(const std::vector<Layer<double>>&, const Kernels<double>&,
                      const Matrix<double>&, double*, std::size_t, Poll);

}  // namespace exactnet::dense
