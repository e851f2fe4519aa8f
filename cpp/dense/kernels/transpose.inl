// Transposition of matrices in panels.
#pragma once

#include <cstddef>

#include "vector.inl"

namespace exactnet::dense::EXACTNET_ISA_NAMESPACE {
namespace {

/// Rows and columns `step` apart change places, for every power of two: Eklundh's method.
template <class T, std::size_t step>
inline void transpose_steps(V<T> (&rows)[lanes<T>]) {
    if constexpr (step > 0) {
        Mask<T> low{}, high{};
        for (std::size_t k = 0; k < lanes<T>; ++k) {
            const bool second = (k & step) != 0;
            low[k] = static_cast<int>(second ? lanes<T> + k - step : k);
            high[k] = static_cast<int>(second ? lanes<T> + k : k + step);
        }
        for (std::size_t r = 0; r < lanes<T>; ++r) {
            if ((r & step) != 0) continue;
            const V<T> a = rows[r], b = rows[r + step];
#if defined(__clang__)
            for (std::size_t k = 0; k < lanes<T>; ++k) {
                const bool second = (k & step) != 0;
                rows[r][k] = second ? b[k - step] : a[k];
                rows[r + step][k] = second ? b[k] : a[k + step];
            }
#else
            rows[r] = __builtin_shuffle(a, b, low);
            rows[r + step] = __builtin_shuffle(a, b, high);
#endif
        }
        transpose_steps<T, step / 2>(rows);
    }
}

template <class T>
void transpose(std::size_t k_begin, std::size_t k_end, const T* w, std::size_t w_stride,
               std::size_t n_panels, T* transposed, std::size_t transposed_stride) {
    for (std::size_t k = k_begin; k < k_end; k += width<T>) {
        T* const to = transposed + k / width<T> * transposed_stride;
        for (std::size_t p = 0; p < n_panels; ++p) {
            const T* const from = w + p * w_stride + k * width<T>;
            for (std::size_t i = 0; i < width<T>; i += lanes<T>) {
                for (std::size_t j = 0; j < width<T>; j += lanes<T>) {
                    V<T> rows[lanes<T>];
                    for (std::size_t r = 0; r < lanes<T>; ++r) {
                        rows[r] = load(from + (i + r) * width<T> + j);
                    }
                    transpose_steps<T, lanes<T> / 2>(rows);
                    for (std::size_t r = 0; r < lanes<T>; ++r) {
                        store(to + (p * width<T> + j + r) * width<T> + i, rows[r]);
                    }
                }
            }
        }
    }
}

}  // namespace
}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
