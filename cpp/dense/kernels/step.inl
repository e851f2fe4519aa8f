// Penalties, and steps along gradients that are known as a whole.
#pragma once

#include <cstddef>

#include "dense/elementary.hpp"
#include "dense/kernels.hpp"
#include "vector.inl"

namespace exactnet::dense::EXACTNET_ISA_NAMESPACE {
namespace {

template <class T>
void penalize(std::size_t n, const T* weights, T* gradients, double alpha, double p) {
    if (p == 1 || p == 2) {
        const V<T> zero{}, change = broadcast(static_cast<T>(alpha * p)), minus = -change;
        for (std::size_t k = 0; k < n; k += lanes<T>) {
            const V<T> w = load(weights + k), sign = w > zero ? change : (w < zero ? minus : zero);
            const V<T> g = load(gradients + k);
            store(gradients + k, p == 1 ? g + sign : fma(change, w, g));
        }
        return;
    }
    for (std::size_t k = 0; k < n; ++k) {
        const double w = static_cast<double>(weights[k]);
        if (w == 0) continue;
        const double size = w < 0 ? -w : w;
        // for p < 1 the derivative has a pole at 0, which 1e-6 takes away
        const double slope =
            p < 1 ? size * real_power(w * w + 1e-6, p / 2 - 1) : real_power(size, p - 1);
        gradients[k] += static_cast<T>(alpha * p * (w < 0 ? -slope : slope));
    }
}

template <class T>
void optimize(std::size_t n, const T* gradients, T* weights, T* first, T* second, Rule<T> rule) {
    using Kind = typename Rule<T>::Kind;
    const V<T> factor = broadcast(rule.factor), rate = broadcast(rule.rate);
    const V<T> mu = broadcast(rule.momentum), one = broadcast(T(1));
    if (rule.kind == Kind::adam) {
        const V<T> beta1 = broadcast(rule.beta1), beta2 = broadcast(rule.beta2);
        const V<T> epsilon = broadcast(rule.epsilon);
        const V<T> correction1 = broadcast(rule.correction1);
        const V<T> correction2 = broadcast(rule.correction2);
        for (std::size_t k = 0; k < n; k += lanes<T>) {
            const V<T> g = load(gradients + k) * factor;
            const V<T> m = fma(beta1, load(first + k), (one - beta1) * g);
            const V<T> v = fma(beta2, load(second + k), (one - beta2) * (g * g));
            store(first + k, m);
            store(second + k, v);
            const V<T> root = square_root(v * correction2) + epsilon;
            store(weights + k, load(weights + k) - rate * (m * correction1) / root);
        }
        return;
    }
    for (std::size_t k = 0; k < n; k += lanes<T>) {
        const V<T> change = load(gradients + k) * factor * -rate, w = load(weights + k);
        if (first == nullptr) {
            store(weights + k, w + change);
            continue;
        }
        const V<T> v = fma(mu, load(first + k), change);
        store(first + k, v);
        store(weights + k, rule.kind == Kind::momentum ? w + v : fma(mu, v, w + change));
    }
}

}  // namespace
}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
