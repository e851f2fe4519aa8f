// Activations and their derivatives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dense/kernels.hpp"
#include "vector.inl"

namespace exactnet::dense::EXACTNET_ISA_NAMESPACE {
namespace {

/// 2^n (q + 1) = exp(x) with q = exp(r) - 1, |r| <= log(2) / 2: Taylor's series, long enough for
/// the type's precision. x must lie where 2^n is a normal number.
template <class T>
struct Split {
    V<T> power;
    V<T> q;
};

template <class T>
inline Split<T> split_exp(V<T> x) {
    constexpr bool single = std::is_same_v<T, float>;
    constexpr int mantissa = single ? 23 : 52, bias = single ? 127 : 1023;
    constexpr int degree = single ? 7 : 13;
    // Adding 1.5 * 2^mantissa rounds to an integer, which then stands in the lowest bits.
    const V<T> shift = broadcast(static_cast<T>(1.5) * static_cast<T>(std::int64_t{1} << mantissa));
    const V<T> shifted = fma(x, broadcast(static_cast<T>(1.4426950408889634)), shift);
    const V<T> n = shifted - shift;
    // log(2) in two parts, the first with trailing zeros so that its product with n is exact
    const V<T> high =
        broadcast(single ? static_cast<T>(0.693145751953125) : static_cast<T>(0.69314718036912382));
    const V<T> low =
        broadcast(single ? static_cast<T>(1.42860677e-6) : static_cast<T>(1.9082149292705877e-10));
    const V<T> r = x - n * high - n * low;
    T factorial = 1;
    T inverse[degree + 1];
    for (int k = 1; k <= degree; ++k) inverse[k] = 1 / (factorial *= static_cast<T>(k));
    V<T> q = broadcast(inverse[degree]);
    for (int k = degree - 1; k >= 1; --k) q = fma(q, r, broadcast(inverse[k]));
    q = q * r;
    Mask<T> bits;
    std::memcpy(&bits, &shifted, sizeof(bits));
    bits = (bits + bias) << mantissa;
    V<T> power;
    std::memcpy(&power, &bits, sizeof(power));
    return {power, q};
}

template <class T>
inline V<T> clamp(V<T> x, T limit) {
    const V<T> high = broadcast(limit), low = -high;
    x = x > high ? high : x;  // in this form a NaN stays one
    return x < low ? low : x;
}

template <class T>
inline V<T> exp(V<T> x) {
    const Split<T> s = split_exp<T>(clamp<T>(x, std::is_same_v<T, float> ? T(87) : T(708)));
    return fma(s.power, s.q, s.power);
}

template <class T>
inline V<T> tanh(V<T> x) {
    const Split<T> s = split_exp<T>(clamp<T>(x + x, std::is_same_v<T, float> ? T(30) : T(60)));
    const V<T> one = broadcast(T(1));
    const V<T> expm1 = fma(s.power, s.q, s.power - one);
    return expm1 / (expm1 + one + one);
}

template <class T, class Function>
inline void each(T* z, std::size_t n, const Function& function) {
    for (std::size_t k = 0; k < n; k += lanes<T>) store(z + k, function(load(z + k)));
}

template <class T>
void activate(Activation activation, T* z, std::size_t n) {
    const V<T> zero{}, one = broadcast(T(1));
    const V<T> slope = broadcast(static_cast<T>(activation.slope));
    const V<T> threshold = broadcast(static_cast<T>(activation.threshold));
    switch (activation.kind) {
        case ActivationKind::sigmoid:
            return each(z, n,
                        [&](V<T> x) { return one / (one + exp<T>((threshold - x) * slope)); });
        case ActivationKind::tanh:
            return each(z, n, [&](V<T> x) { return tanh<T>(x); });
        case ActivationKind::relu:
            return each(z, n, [&](V<T> x) { return x < zero ? zero : x; });
        case ActivationKind::leaky_relu:
            return each(z, n, [&](V<T> x) { return x < zero ? x * slope : x; });
        case ActivationKind::step:
            return each(z, n, [&](V<T> x) { return x > threshold ? one : zero; });
        case ActivationKind::exp:
            return each(z, n, [&](V<T> x) {
                // of half of it, which stays within the range: infinite and 0 where the square is
                const V<T> root = exp<T>(x * broadcast(T(0.5)));
                return root * root;
            });
        case ActivationKind::linear:
        case ActivationKind::softmax:
            return;
    }
}

template <class T>
void softmax(std::size_t m, std::size_t n, T* z, std::size_t z_stride, T* highs, T* sums) {
    for (std::size_t r = 0; r < m; ++r) {
        T* const row = z + r * width<T>;
        const auto each_output = [&](const auto& function) {
            for (std::size_t k = 0; k < n; k += width<T>) {
                T* const part = row + k / width<T> * z_stride;
                const std::size_t count = smaller(width<T>, n - k);
                for (std::size_t i = 0; i < count; ++i) function(part[i]);
            }
        };
        T high = row[0], sum = 0;
        each_output([&](T x) { high = x > high ? x : high; });
        for (std::size_t k = 0; k < n; k += lanes<T>) {
            T* const part = row + k / width<T> * z_stride + k % width<T>;
            store(part, exp<T>(load(part) - broadcast(high)));
        }
        each_output([&](T x) { sum += x; });
        each_output([&](T& x) { x /= sum; });
        highs[r] = high;
        sums[r] = sum;
    }
}

template <class T>
void multiply_derivative(Activation activation, const T* a, T* d, std::size_t n) {
    const V<T> zero{}, one = broadcast(T(1));
    const V<T> slope = broadcast(static_cast<T>(activation.slope));
    const auto each_pair = [&](const auto& function) {
        for (std::size_t k = 0; k < n; k += lanes<T>) {
            store(d + k, function(load(a + k), load(d + k)));
        }
    };
    switch (activation.kind) {
        case ActivationKind::sigmoid:
            return each_pair([&](V<T> x, V<T> y) { return y * slope * x * (one - x); });
        case ActivationKind::tanh:
            return each_pair([&](V<T> x, V<T> y) { return y * (one - x * x); });
        case ActivationKind::relu:
            return each_pair([&](V<T> x, V<T> y) { return x > zero ? y : zero; });
        case ActivationKind::leaky_relu:
            return each_pair([&](V<T> x, V<T> y) { return x > zero ? y : y * slope; });
        case ActivationKind::exp:
            return each_pair([&](V<T> x, V<T> y) { return y * x; });
        case ActivationKind::linear:
        case ActivationKind::step:
        case ActivationKind::softmax:
            return;
    }
}

}  // namespace
}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
