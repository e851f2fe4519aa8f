#include "network.hpp"

#include <algorithm>

namespace exactnet::dense {
namespace {

template <class T>
void predict_few(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, const T* x,
                 std::size_t n, T* outputs, bool activate_last) {
    std::size_t widest = 0;
    for (const Layer<T>& layer : layers) {
        widest = std::max(widest, round_up(layer.outputs, kernels.width));
    }
    Buffer<T> scratch(2 * widest);
    for (std::size_t r = 0; r < n; ++r) {
        const T* input = x + r * layers.front().inputs;
        T *now = scratch.data(), *other = scratch.data() + widest;
        for (const Layer<T>& layer : layers) {
            kernels.dot_rows(layer.weights, layer.biases, input, layer.outputs, layer.inputs, now);
            if (activate_last || &layer != &layers.back()) {
                kernels.activate(layer.activation, now, 1, layer.outputs, 0);
            }
            input = now;
            std::swap(now, other);
        }
        std::copy_n(input, layers.back().outputs, outputs + r * layers.back().outputs);
    }
}

template <class T>
void predict_many(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, const T* x,
                  std::size_t n, T* outputs, bool activate_last) {
    constexpr std::size_t most_rows = 96;  // keeps the activations of a part in cache
    std::vector<PackedLayer<T>> packed;
    std::vector<Buffer<T>> values;
    for (const Layer<T>& layer : layers) {
        packed.emplace_back(layer, kernels);
        values.emplace_back(std::min(n, most_rows) * packed.back().padded_outputs());
    }
    const std::size_t n_outputs = layers.back().outputs;
    for (std::size_t begin = 0; begin < n; begin += most_rows) {
        const std::size_t m = std::min(most_rows, n - begin);
        Inputs<T> input{x + begin * layers.front().inputs, layers.front().inputs, 1};
        for (std::size_t l = 0; l < packed.size(); ++l) {
            const PackedLayer<T>& layer = packed[l];
            T* const z = values[l].data();
            const std::size_t stride = layer.padded_outputs();
            kernels.product(m, layer.source.inputs, input, nullptr, layer.weights.data(),
                            layer.weights.stride(), layer.weights.count(), layer.biases.data(), z,
                            stride);
            if (activate_last || l + 1 < packed.size()) {
                kernels.activate(layer.source.activation, z, m, layer.source.outputs, stride);
            }
            input = {z, stride, 1};
        }
        for (std::size_t r = 0; r < m; ++r) {
            std::copy_n(input.data + r * input.row_stride, n_outputs,
                        outputs + (begin + r) * n_outputs);
        }
    }
}

}  // namespace

template <class T>
void predict(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, const T* x,
             std::size_t n, T* outputs, bool activate_last) {
    constexpr std::size_t few = 8;  // from here on packing pays
    (n < few ? predict_few<T> : predict_many<T>)(layers, kernels, x, n, outputs, activate_last);
}

template void predict(const std::vector<Layer<float>>&, const Kernels<float>&, const float*,
                      std::size_t, float*, bool);
template void predict(const std::vector<Layer<double>>&, const Kernels<double>&, const double*,
                      std::size_t, double*, bool);

}  // namespace exactnet::dense
