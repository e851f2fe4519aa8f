// Products and steps of narrow layers: one panel, a row of which is one vector.
#pragma once

#include <cstddef>

#include "dense/kernels.hpp"
#include "product.inl"
#include "vector.inl"

namespace exactnet::dense::EXACTNET_ISA_NAMESPACE {
namespace {

/// So many sums at once keep the processor busy while each waits for its last addition.
constexpr std::size_t narrow_rows = 8;

template <class Vec>
struct Type {
    using type = Vec;
};

/// Calls body with the type of a row of so many columns.
template <class T, class Body>
inline void with_row(std::size_t columns, const Body& body) {
    if constexpr (lanes<T> > 4) {
        if (columns == 4) return body(Type<Four<T>>());
    }
    body(Type<V<T>>());
}

/// `rows` rows of A times the panel.
template <class T, class Vec, std::size_t rows>
void narrow_product_block(std::size_t n_k, View<T> a, const T* w, const T* bias, T* z) {
    constexpr std::size_t columns = sizeof(Vec) / sizeof(T);
    Vec sum[rows];
    const Vec start = bias != nullptr ? load_as<Vec>(bias) : Vec{};
    for (std::size_t r = 0; r < rows; ++r) sum[r] = start;
    for (std::size_t k = 0; k < n_k; k += width<T>) {
        const std::size_t n = smaller(width<T>, n_k - k);
        for (std::size_t i = 0; i < n; ++i) {
            const Vec row = load_as<Vec>(w);
            w += columns;
            for (std::size_t r = 0; r < rows; ++r) {
                sum[r] = fma(broadcast_as<Vec>(a.data[r * a.row_stride + i]), row, sum[r]);
            }
        }
        a.data += a.panel_stride;
    }
    for (std::size_t r = 0; r < rows; ++r) store(z + r * columns, sum[r]);
}

template <class T>
void narrow_product(std::size_t columns, std::size_t m, std::size_t n_k, View<T> a, const T* w,
                    const T* bias, T* z) {
    with_row<T>(columns, [&](auto row) {
        balanced(m, narrow_rows, [&](std::size_t begin, std::size_t end) {
            const View<T> block{a.data + begin * a.row_stride, a.row_stride, a.panel_stride};
            with_constant<narrow_rows>(end - begin, [&](auto rows) {
                narrow_product_block<T, typename decltype(row)::type, rows.value>(
                    n_k, block, w, bias, z + begin * columns);
            });
        });
    });
}

/// `count` rows of the panel of weights, from as many columns of one panel of A, and the biases
/// where they are not null.
template <class T, class Vec, std::size_t count>
void narrow_update_block(std::size_t m, const T* a, std::size_t a_stride, const T* d, T* weights,
                         T* velocity, T* biases, T* bias_velocity, Step<T> step) {
    constexpr std::size_t columns = sizeof(Vec) / sizeof(T);
    Vec sum[count], total{};
    for (std::size_t i = 0; i < count; ++i) sum[i] = Vec{};
    for (std::size_t r = 0; r < m; ++r) {
        const Vec row = load_as<Vec>(d);
        d += columns;
        total = total + row;
        for (std::size_t i = 0; i < count; ++i) sum[i] = fma(broadcast_as<Vec>(a[i]), row, sum[i]);
        a += a_stride;
    }
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = i * columns;
        apply(step, sum[i], weights + at, velocity != nullptr ? velocity + at : nullptr);
    }
    if (biases != nullptr) apply(step, total, biases, bias_velocity);
}

template <class T>
void narrow_update(std::size_t columns, std::size_t m, std::size_t k_begin, std::size_t k_end,
                   View<T> a, const T* d, Parameters<T> parameters, Step<T> step) {
    T* const v = parameters.velocity;
    with_row<T>(columns, [&](auto row) {
        for (std::size_t k = k_begin; k < k_end; k += width<T>) {
            const T* const from = a.data + k / width<T> * a.panel_stride;
            balanced(smaller(width<T>, k_end - k), narrow_rows,
                     [&](std::size_t begin, std::size_t end) {
                         const std::size_t at = (k + begin) * columns;
                         with_constant<narrow_rows>(end - begin, [&](auto count) {
                             narrow_update_block<T, typename decltype(row)::type, count.value>(
                                 m, from + begin, a.row_stride, d, parameters.weights + at,
                                 v != nullptr ? v + at : nullptr, parameters.biases,
                                 parameters.bias_velocity, step);
                         });
                         parameters.biases = nullptr;  // once is enough
                     });
        }
    });
}

}  // namespace
}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
