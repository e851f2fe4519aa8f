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
template <class Vec>
struct Split {
    Vec power;
    Vec q;
};

template <class T, class Vec>
inline Split<Vec> split_exp(Vec x) {
    constexpr bool single = std::is_same_v<T, float>;
    constexpr int mantissa = single ? 23 : 52, bias = single ? 127 : 1023;
    constexpr int degree = single ? 7 : 13;
    // Adding 1.5 * 2^mantissa rounds to an integer, which then stands in the lowest bits.
    const Vec shift =
        broadcast_as<Vec>(static_cast<T>(1.5) * static_cast<T>(std::int64_t{1} << mantissa));
    const Vec shifted = fma(x, broadcast_as<Vec>(static_cast<T>(1.4426950408889634)), shift);
    const Vec n = shifted - shift;
    // log(2) in two parts, the first with trailing zeros so that its product with n is exact
    const Vec high = broadcast_as<Vec>(single ? static_cast<T>(0.693145751953125)
                                              : static_cast<T>(0.69314718036912382));
    const Vec low = broadcast_as<Vec>(single ? static_cast<T>(1.42860677e-6)
                                             : static_cast<T>(1.9082149292705877e-10));
    const Vec r = x - n * high - n * low;
    T factorial = 1;
    T inverse[degree + 1];
    for (int k = 1; k <= degree; ++k) inverse[k] = 1 / (factorial *= static_cast<T>(k));
    Vec q = broadcast_as<Vec>(inverse[degree]);
    for (int k = degree - 1; k >= 1; --k) q = fma(q, r, broadcast_as<Vec>(inverse[k]));
    q = q * r;
    decltype(x < x) bits;
    std::memcpy(&bits, &shifted, sizeof(bits));
    bits = (bits + bias) << mantissa;
    Vec power;
    std::memcpy(&power, &bits, sizeof(power));
    return {power, q};
}

template <class T, class Vec>
inline Vec clamp(Vec x, T limit) {
    const Vec high = broadcast_as<Vec>(limit), low = -high;
    x = x > high ? high : x;  // in this form a NaN stays one
    return x < low ? low : x;
}

template <class T, class Vec>
inline Vec exp(Vec x) {
    const Split<Vec> s = split_exp<T>(clamp(x, std::is_same_v<T, float> ? T(87) : T(708)));
    return fma(s.power, s.q, s.power);
}

template <class T, class Vec>
inline Vec tanh(Vec x) {
    const Split<Vec> s = split_exp<T>(clamp(x + x, std::is_same_v<T, float> ? T(30) : T(60)));
    const Vec one = broadcast_as<Vec>(T(1));
    const Vec expm1 = fma(s.power, s.q, s.power - one);
    return expm1 / (expm1 + one + one);
}

/// Calls body with the function of a vector that the activation is, if it is any.
template <class T, class Body>
inline void with_activation(Activation activation, const Body& body) {
    const T slope = static_cast<T>(activation.slope);
    const T threshold = static_cast<T>(activation.threshold);
    switch (activation.kind) {
        case ActivationKind::sigmoid:
            return body([=]<class Vec>(Vec x) {
                const Vec one = broadcast_as<Vec>(T(1));
                return one / (one + exp<T>((broadcast_as<Vec>(threshold) - x) *
                                           broadcast_as<Vec>(slope)));
            });
        case ActivationKind::tanh:
            return body([](auto x) { return tanh<T>(x); });
        case ActivationKind::relu:
            return body([]<class Vec>(Vec x) { return x < Vec{} ? Vec{} : x; });
        case ActivationKind::leaky_relu:
            return body(
                [=]<class Vec>(Vec x) { return x < Vec{} ? x * broadcast_as<Vec>(slope) : x; });
        case ActivationKind::step:
            return body([=]<class Vec>(Vec x) {
                return x > broadcast_as<Vec>(threshold) ? broadcast_as<Vec>(T(1)) : Vec{};
            });
        case ActivationKind::exp:
            return body([]<class Vec>(Vec x) {
                // of half of it, which stays within the range: infinite and 0 where the square is
                const Vec root = exp<T>(x * broadcast_as<Vec>(T(0.5)));
                return root * root;
            });
        case ActivationKind::linear:
        case ActivationKind::softmax:
            return;
    }
}

template <class T>
void activate(Activation activation, T* z, std::size_t n) {
    with_activation<T>(activation, [&](const auto& function) {
        for (std::size_t k = 0; k < n; k += lanes<T>) store(z + k, function(load(z + k)));
    });
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

/// Calls body with the function of a value and a gradient that multiplies the latter by the
/// derivative, if it is not 1.
template <class T, class Body>
inline void with_derivative(Activation activation, const Body& body) {
    const T slope = static_cast<T>(activation.slope);
    switch (activation.kind) {
        case ActivationKind::sigmoid:
            return body([=]<class Vec>(Vec x, Vec y) {
                return y * broadcast_as<Vec>(slope) * x * (broadcast_as<Vec>(T(1)) - x);
            });
        case ActivationKind::tanh:
            return body(
                []<class Vec>(Vec x, Vec y) { return y * (broadcast_as<Vec>(T(1)) - x * x); });
        case ActivationKind::relu:
            return body([]<class Vec>(Vec x, Vec y) { return x > Vec{} ? y : Vec{}; });
        case ActivationKind::leaky_relu:
            return body([=]<class Vec>(Vec x, Vec y) {
                return x > Vec{} ? y : y * broadcast_as<Vec>(slope);
            });
        case ActivationKind::exp:
            return body([](auto x, auto y) { return y * x; });
        case ActivationKind::linear:
        case ActivationKind::step:
        case ActivationKind::softmax:
            return;
    }
}

template <class T>
void multiply_derivative(Activation activation, const T* a, T* d, std::size_t n) {
    with_derivative<T>(activation, [&](const auto& function) {
        for (std::size_t k = 0; k < n; k += lanes<T>) {
            store(d + k, function(load(a + k), load(d + k)));
        }
    });
}

}  // namespace
}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
