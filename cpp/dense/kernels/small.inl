// Batches of networks whose layers have at most four units, in one call.
#pragma once

#include <cstddef>

#include "activation.inl"
#include "dense/kernels.hpp"
#include "narrow.inl"
#include "vector.inl"

namespace exactnet::dense::EXACTNET_ISA_NAMESPACE {
namespace {

/// From the inputs to the losses and back to the deltas: what product, activate and
/// multiply_derivative would do, to the bit, without a call for each and on rows that no later load
/// has to put together.
template <class T>
void small_pass(const SmallLayer<T>* layers, std::size_t n_layers, std::size_t begin, std::size_t m,
                const T* x, const SmallLoss<T>& loss) {
    if constexpr (lanes<T> >= 4) {
        using Vec = Four<T>;
        const std::size_t first = 4 * begin;
        const T* a = x + first;
        for (std::size_t l = 0; l < n_layers; ++l) {
            const SmallLayer<T>& layer = layers[l];
            T* const z = layer.values + first;
            std::size_t r = 0;
            for (; r + 4 <= m; r += 4) {
                narrow_product_block<T, Vec, 4>(layer.inputs, {a + 4 * r, 4, 0}, layer.weights,
                                                layer.biases, z + 4 * r);
            }
            for (; r < m; ++r) {
                narrow_product_block<T, Vec, 1>(layer.inputs, {a + 4 * r, 4, 0}, layer.weights,
                                                layer.biases, z + 4 * r);
            }
            with_activation<T>(layer.activation, [&](const auto& function) {
                for (std::size_t k = 0; k < 4 * m; k += 4) {
                    store(z + k, function(load_as<Vec>(z + k)));
                }
            });
            a = z;
        }
        const SmallLayer<T>& last = layers[n_layers - 1];
        const std::size_t n = last.outputs;
        T* const errors = last.deltas + first;
        for (std::size_t r = 0; r < m; ++r) {
            const std::size_t sample = loss.samples[r];
            double sum = 0;
            const auto error = [&](std::size_t c) {
                if (c >= n) return T(0);
                const T y =
                    loss.values != nullptr
                        ? loss.values[sample * n + c]
                        : static_cast<T>(static_cast<std::int64_t>(c) == loss.labels[sample]);
                const T difference = a[4 * r + c] - y;
                sum += static_cast<double>(difference) * static_cast<double>(difference);
                return loss.factor * difference;
            };
            const T e0 = error(0), e1 = error(1), e2 = error(2), e3 = error(3);
            store(errors + 4 * r, Vec{e0, e1, e2, e3});
            loss.losses[r] = loss.scale * sum;
        }
        for (std::size_t l = n_layers; l-- > 0;) {
            const SmallLayer<T>& layer = layers[l];
            const T* const values = layer.values + first;
            T* const d = layer.deltas + first;
            with_derivative<T>(layer.activation, [&](const auto& function) {
                for (std::size_t k = 0; k < 4 * m; k += 4) {
                    store(d + k, function(load_as<Vec>(values + k), load_as<Vec>(d + k)));
                }
            });
            if (l == 0) break;
            const T* const w = layer.weights;
            Vec columns[4];
            for (std::size_t j = 0; j < 4; ++j)
                columns[j] = Vec{w[j], w[4 + j], w[8 + j], w[12 + j]};
            for (std::size_t r = 0; r < m; ++r) {
                Vec sum{};
                for (std::size_t j = 0; j < layer.outputs; ++j) {
                    sum = fma(broadcast_as<Vec>(d[4 * r + j]), columns[j], sum);
                }
                store(layers[l - 1].deltas + first + 4 * r, sum);
            }
        }
    }
}

template <class T>
void small_update(const SmallLayer<T>* layers, std::size_t n_layers, std::size_t m, const T* x,
                  Step<T> step) {
    if constexpr (lanes<T> >= 4) {
        for (std::size_t l = n_layers; l-- > 0;) {
            const SmallLayer<T>& layer = layers[l];
            with_constant<4>(layer.inputs, [&](auto count) {
                narrow_update_block<T, Four<T>, count.value>(
                    m, l > 0 ? layers[l - 1].values : x, 4, layer.deltas, layer.weights,
                    layer.velocity, layer.biases, layer.bias_velocity, step);
            });
        }
    }
}

}  // namespace
}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
