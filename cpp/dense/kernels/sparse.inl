// Products of sparse rows with panels, and steps along gradients that are such products.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "dense/kernels.hpp"
#include "product.inl"
#include "vector.inl"

namespace exactnet::dense::EXACTNET_ISA_NAMESPACE {
namespace {

/// One block of inputs of all samples times `count` panels. Even and odd entries have sums of their
/// own, so that an addition need not wait for the one before.
template <class T, std::size_t count>
void sparse_product_block(std::size_t m, const SparseRow<T>* rows, std::size_t b, const T* w,
                          std::size_t w_stride, const T* bias, T* z, std::size_t z_stride) {
    constexpr std::size_t vectors = 2 * count;
    const auto panel_at = [](std::size_t v, std::size_t stride) {
        return v / 2 * stride + v % 2 * lanes<T>;
    };
    for (std::size_t r = 0; r < m; ++r) {
        const SparseRow<T> row = rows[r];
        const std::size_t end = row.offsets[b + 1];
        V<T> even[vectors], odd[vectors] = {};
        for (std::size_t v = 0; v < vectors; ++v) {
            if (b == 0) {
                even[v] = load(bias + v * lanes<T>);
            } else {
                even[v] = load(z + panel_at(v, z_stride) + r * width<T>);
            }
        }
        for (std::size_t i = row.offsets[b]; i < end; i += 2) {
            const V<T> x0 = broadcast(row.values[i]), x1 = broadcast(row.values[i + 1]);
            const T* const w0 = w + row.columns[i] * width<T>;
            const T* const w1 = w + row.columns[i + 1] * width<T>;
            for (std::size_t v = 0; v < vectors; ++v) {
                even[v] = fma(x0, load(w0 + panel_at(v, w_stride)), even[v]);
                odd[v] = fma(x1, load(w1 + panel_at(v, w_stride)), odd[v]);
            }
        }
        for (std::size_t v = 0; v < vectors; ++v) {
            store(z + panel_at(v, z_stride) + r * width<T>, even[v] + odd[v]);
        }
    }
}

template <class T>
void sparse_product(std::size_t m, std::size_t n_k, const SparseRow<T>* rows, const T* w,
                    std::size_t w_stride, std::size_t n_panels, const T* bias, T* z,
                    std::size_t z_stride) {
    const std::size_t n_blocks = (n_k + sparse_block - 1) / sparse_block;
    for (std::size_t p = 0; p < n_panels; p += 2) {
        with_constant<2>(smaller(std::size_t{2}, n_panels - p), [&](auto count) {
            for (std::size_t b = 0; b < n_blocks; ++b) {
                sparse_product_block<T, count.value>(
                    m, rows, b, w + p * w_stride + b * sparse_block * width<T>, w_stride,
                    bias + p * width<T>, z + p * z_stride, z_stride);
            }
        });
    }
}

/// As many as still share most of their columns.
constexpr std::size_t list_rows = smaller<std::size_t>(6, EXACTNET_MAX_ROWS);

template <class T>
bool list_columns(std::size_t m, std::size_t n_k, const T* a, std::uint32_t* lists) {
    constexpr std::size_t part = 64;  // bits of a mask
    const Mask<T> magnitude = ~bits_of<T>(-V<T>{});
    const auto larger = [](Mask<T> x, Mask<T> y) { return x > y ? x : y; };
    Mask<T> largest{};
    for (std::size_t begin = 0; begin < m; begin += list_rows, lists += n_k + 1) {
        const std::size_t end = smaller(m, begin + list_rows);
        std::size_t count = 0;
        for (std::size_t first = 0; first < n_k; first += part) {
            const std::size_t stop = smaller(n_k, first + part);
            std::uint64_t used = 0;
            for (std::size_t k = first; k < stop; k += lanes<T>) {
                Mask<T> any{};
                for (std::size_t r = begin; r < end; ++r) {
                    const V<T> x = load_some(a + r * n_k + k, stop - k);
                    any = larger(any, bits_of<T>(x) & magnitude);
                }
                largest = larger(largest, any);
                used |= bit_mask<T>(any != 0) << (k - first);
            }
            for (; used != 0; used &= used - 1) {
                const auto at = static_cast<std::size_t>(__builtin_ctzll(used));
                lists[++count] = static_cast<std::uint32_t>(first + at);
            }
        }
        lists[0] = static_cast<std::uint32_t>(count);
    }
    const V<T> infinity = broadcast(std::numeric_limits<T>::infinity());
    return bit_mask<T>(largest >= bits_of<T>(infinity)) == 0;
}

/// `rows` rows of A, of the columns listed, times one panel; returns where sums are -0.
template <class T, std::size_t rows>
Mask<T> listed_product_block(std::size_t n_k, const T* a, const std::uint32_t* list, const T* w,
                             const T* bias, T* z) {
    V<T> sum[rows][2];
    for (std::size_t half = 0; half < 2; ++half) {
        for (std::size_t r = 0; r < rows; ++r) sum[r][half] = load(bias + half * lanes<T>);
    }
    for (std::size_t i = 1; i <= list[0]; ++i) {
        const std::size_t k = list[i];
        const V<T> w0 = load(w + k * width<T>), w1 = load(w + k * width<T> + lanes<T>);
        for (std::size_t r = 0; r < rows; ++r) {
            const V<T> x = broadcast(a[r * n_k + k]);
            sum[r][0] = fma(x, w0, sum[r][0]);
            sum[r][1] = fma(x, w1, sum[r][1]);
        }
    }
    const Mask<T> minus_zero = bits_of<T>(-V<T>{});
    Mask<T> found{};
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t half = 0; half < 2; ++half) {
            store(z + r * width<T> + half * lanes<T>, sum[r][half]);
            found |= bits_of<T>(sum[r][half]) == minus_zero;
        }
    }
    return found;
}

/// Zeros add nothing to a sum but that they make 0 of -0.
template <class T>
bool listed_product(std::size_t m, std::size_t n_k, const T* a, const std::uint32_t* lists,
                    const T* w, std::size_t w_stride, std::size_t n_panels, const T* bias, T* z,
                    std::size_t z_stride) {
    Mask<T> found{};
    for (std::size_t p = 0; p < n_panels; ++p) {
        const std::uint32_t* list = lists;
        for (std::size_t r = 0; r < m; r += list_rows, list += n_k + 1) {
            with_constant<list_rows>(smaller(list_rows, m - r), [&](auto rows) {
                found |= listed_product_block<T, rows.value>(n_k, a + r * n_k, list,
                                                             w + p * w_stride, bias + p * width<T>,
                                                             z + p * z_stride + r * width<T>);
            });
        }
    }
    return bit_mask<T>(found) == 0;
}

/// Adds one block of inputs of all samples, times their gradients, to `count` panels.
template <class T, std::size_t count>
void sparse_update_block(std::size_t m, const SparseRow<T>* rows, std::size_t b, const T* d,
                         std::size_t d_stride, T scale, T* w, std::size_t w_stride) {
    constexpr std::size_t vectors = 2 * count;
    const auto panel_at = [](std::size_t v, std::size_t stride) {
        return v / 2 * stride + v % 2 * lanes<T>;
    };
    for (std::size_t r = 0; r < m; ++r) {
        const SparseRow<T> row = rows[r];
        const std::size_t end = row.offsets[b + 1];
        V<T> change[vectors];
        for (std::size_t v = 0; v < vectors; ++v) {
            change[v] = load(d + panel_at(v, d_stride) + r * width<T>) * broadcast(scale);
        }
        for (std::size_t i = row.offsets[b]; i < end; ++i) {
            const V<T> x = broadcast(row.values[i]);
            T* const at = w + row.columns[i] * width<T>;
            for (std::size_t v = 0; v < vectors; ++v) {
                T* const here = at + panel_at(v, w_stride);
                store(here, fma(x, change[v], load(here)));
            }
        }
    }
}

template <class T>
void sparse_update(std::size_t m, std::size_t n_k, std::size_t b_begin, std::size_t b_end,
                   const SparseRow<T>* rows, const T* d, std::size_t d_stride,
                   Parameters<T> parameters, Step<T> step) {
    const std::size_t stride = parameters.panel_stride;
    T* const into = parameters.sums != nullptr ? parameters.sums : parameters.weights;
    Step<T> rest = step;
    rest.scale = 1;
    for (std::size_t p = 0; p < parameters.n_panels; p += 2) {
        with_constant<2>(smaller(std::size_t{2}, parameters.n_panels - p), [&](auto count) {
            for (std::size_t b = b_begin; b < b_end; ++b) {
                const std::size_t first = p * stride + b * sparse_block * width<T>;
                sparse_update_block<T, count.value>(m, rows, b, d + p * d_stride, d_stride,
                                                    step.scale, into + first, stride);
                if (parameters.sums == nullptr) continue;
                // inputs that were 0 have no gradient, but their weights still move
                const std::size_t n = smaller(sparse_block, n_k - b * sparse_block) * width<T>;
                for (std::size_t q = 0; q < count.value; ++q) {
                    const std::size_t begin = first + q * stride;
                    for (std::size_t at = begin; at < begin + n; at += lanes<T>) {
                        apply(rest, load(into + at), parameters.weights + at,
                              parameters.velocity + at);
                        store(into + at, V<T>{});
                    }
                }
            }
        });
    }
}

}  // namespace
}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
