// Products with panels, and steps along gradients that are such products.
#pragma once

#include <cstddef>
#include <cstring>

#include "dense/kernels.hpp"
#include "vector.inl"

namespace exactnet::dense::EXACTNET_ISA_NAMESPACE {
namespace {

/// `rows` rows of A times one panel.
template <class T, std::size_t rows>
void product_block(std::size_t n_k, View<T> a, const T* w, const T* bias, T* z) {
    V<T> sum[rows][2];
    for (std::size_t half = 0; half < 2; ++half) {
        const V<T> start = bias != nullptr ? load(bias + half * lanes<T>) : V<T>{};
        for (std::size_t r = 0; r < rows; ++r) sum[r][half] = start;
    }
    for (std::size_t k = 0; k < n_k; k += width<T>) {
        const std::size_t n = smaller(width<T>, n_k - k);
        for (std::size_t i = 0; i < n; ++i) {
            const V<T> w0 = load(w), w1 = load(w + lanes<T>);
            w += width<T>;
            for (std::size_t r = 0; r < rows; ++r) {
                const V<T> x = broadcast(a.data[r * a.row_stride + i]);
                sum[r][0] = fma(x, w0, sum[r][0]);
                sum[r][1] = fma(x, w1, sum[r][1]);
            }
        }
        a.data += a.panel_stride;
    }
    for (std::size_t r = 0; r < rows; ++r) {
        store(z + r * width<T>, sum[r][0]);
        store(z + r * width<T> + lanes<T>, sum[r][1]);
    }
}

template <class T>
void product(std::size_t m, std::size_t n_k, View<T> a, const T* w, std::size_t w_stride,
             std::size_t n_panels, const T* bias, T* z, std::size_t z_stride) {
    for (std::size_t p = 0; p < n_panels; ++p) {
        const T* const panel_bias = bias != nullptr ? bias + p * width<T> : nullptr;
        balanced(m, EXACTNET_MAX_ROWS, [&](std::size_t begin, std::size_t end) {
            const View<T> block{a.data + begin * a.row_stride, a.row_stride, a.panel_stride};
            with_constant<EXACTNET_MAX_ROWS>(end - begin, [&](auto rows) {
                product_block<T, rows.value>(n_k, block, w + p * w_stride, panel_bias,
                                             z + p * z_stride + begin * width<T>);
            });
        });
    }
}

template <class T, class Vec>
inline void apply(Step<T> step, Vec sum, T* weights, T* velocity) {
    using Kind = typename Step<T>::Kind;
    const Vec scale = broadcast_as<Vec>(step.scale);
    if (step.kind == Kind::gradient) {
        store(weights, sum * scale);
    } else if (step.kind == Kind::sgd) {
        store(weights, fma(scale, sum, load_as<Vec>(weights)));
    } else {
        const Vec mu = broadcast_as<Vec>(step.momentum), change = sum * scale;
        const Vec v = fma(mu, load_as<Vec>(velocity), change);
        store(velocity, v);
        const Vec old = load_as<Vec>(weights);
        store(weights, step.kind == Kind::momentum ? old + v : fma(mu, v, old + change));
    }
}

/// `count` rows of one panel of weights, from as many columns of one panel of A.
template <class T, std::size_t count>
void update_block(std::size_t m, const T* a, std::size_t a_stride, const T* d, T* weights,
                  T* velocity, Step<T> step) {
    V<T> sum[count][2];
    for (std::size_t i = 0; i < count; ++i) sum[i][0] = sum[i][1] = V<T>{};
    for (std::size_t r = 0; r < m; ++r) {
        const V<T> d0 = load(d), d1 = load(d + lanes<T>);
        d += width<T>;
        for (std::size_t i = 0; i < count; ++i) {
            const V<T> x = broadcast(a[i]);
            sum[i][0] = fma(x, d0, sum[i][0]);
            sum[i][1] = fma(x, d1, sum[i][1]);
        }
        a += a_stride;
    }
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t half = 0; half < 2; ++half) {
            const std::size_t at = i * width<T> + half * lanes<T>;
            apply(step, sum[i][half], weights + at, velocity != nullptr ? velocity + at : nullptr);
        }
    }
}

template <class T>
void update(std::size_t m, std::size_t k_begin, std::size_t k_end, View<T> a, const T* d,
            std::size_t d_stride, Parameters<T> parameters, Step<T> step) {
    for (std::size_t p = 0; p < parameters.n_panels; ++p) {
        for (std::size_t k = k_begin; k < k_end; k += width<T>) {
            const T* const columns = a.data + k / width<T> * a.panel_stride;
            const std::size_t at = p * parameters.panel_stride + k * width<T>;
            T* const v = parameters.velocity != nullptr ? parameters.velocity + at : nullptr;
            balanced(smaller(width<T>, k_end - k), EXACTNET_MAX_ROWS,
                     [&](std::size_t begin, std::size_t end) {
                         with_constant<EXACTNET_MAX_ROWS>(end - begin, [&](auto count) {
                             update_block<T, count.value>(
                                 m, columns + begin, a.row_stride, d + p * d_stride,
                                 parameters.weights + at + begin * width<T>,
                                 v != nullptr ? v + begin * width<T> : nullptr, step);
                         });
                     });
        }
    }
}

/// `count` outputs of one sample. Each sum has two parts, of even and of odd vectors.
template <class T, std::size_t count>
void dot_block(const T* weights, const T* bias, const T* x, std::size_t n_k, T* out) {
    V<T> even[count] = {}, odd[count] = {};
    std::size_t k = 0;
    for (; k + 2 * lanes<T> <= n_k; k += 2 * lanes<T>) {
        const V<T> x0 = load_unaligned(x + k), x1 = load_unaligned(x + k + lanes<T>);
        for (std::size_t i = 0; i < count; ++i) {
            const T* const w = weights + i * n_k + k;
            even[i] = fma(load_unaligned(w), x0, even[i]);
            odd[i] = fma(load_unaligned(w + lanes<T>), x1, odd[i]);
        }
    }
    for (std::size_t i = 0; i < count; ++i) {
        const V<T> both = even[i] + odd[i];
        T parts[lanes<T>];
        std::memcpy(parts, &both, sizeof(parts));
        for (std::size_t half = lanes<T> / 2; half > 0; half /= 2) {
            for (std::size_t j = 0; j < half; ++j) parts[j] += parts[j + half];
        }
        T sum = bias[i] + parts[0];
        for (std::size_t rest = k; rest < n_k; ++rest) sum += weights[i * n_k + rest] * x[rest];
        out[i] = sum;
    }
}

template <class T>
void dot_rows(const T* weights, const T* bias, const T* x, std::size_t rows, std::size_t n_k,
              T* out) {
    std::size_t r = 0;
    for (; r + 4 <= rows; r += 4) dot_block<T, 4>(weights + r * n_k, bias + r, x, n_k, out + r);
    for (; r < rows; ++r) dot_block<T, 1>(weights + r * n_k, bias + r, x, n_k, out + r);
}

}  // namespace
}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
