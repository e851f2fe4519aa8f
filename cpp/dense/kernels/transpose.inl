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
void transpose(std::size_t k_begin, std::size_t k_end, std::size_t columns, const T* w,
               std::size_t w_width, std::size_t w_stride, T* transposed, std::size_t t_width,
               std::size_t t_stride) {
    const bool squares = w_width >= lanes<T> && t_width >= lanes<T>;
    for (std::size_t k = k_begin; k < k_end; k += t_width) {
        T* const to = transposed + k / t_width * t_stride;
        const std::size_t n = smaller(t_width, k_end - k);
        const T* from = w + k * w_width;
        for (std::size_t c = 0; c < columns; c += w_width, from += w_stride) {
            const std::size_t count = smaller(w_width, columns - c);
            if (!squares) {
                for (std::size_t i = 0; i < n; ++i) {
                    for (std::size_t j = 0; j < count; ++j) {
                        to[(c + j) * t_width + i] = from[i * w_width + j];
                    }
                }
                continue;
            }
            for (std::size_t i = 0; i < n; i += lanes<T>) {
                for (std::size_t j = 0; j < count; j += lanes<T>) {
                    V<T> rows[lanes<T>];
                    for (std::size_t r = 0; r < lanes<T>; ++r) {
                        rows[r] = load(from + (i + r) * w_width + j);
                    }
                    transpose_steps<T, lanes<T> / 2>(rows);
                    for (std::size_t r = 0; r < lanes<T>; ++r) {
                        store(to + (c + j + r) * t_width + i, rows[r]);
                    }
                }
            }
        }
    }
}

}  // namespace
}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
