// Included once per instruction set by product_*.cpp, which define EXACTNET_ISA_NAMESPACE and
// EXACTNET_VECTOR_BYTES. Uses nothing of the standard library that is compiled into functions,
// which the linker might take for all of the program.

#include <cstring>

#include "product.hpp"

namespace exactnet::exact::EXACTNET_ISA_NAMESPACE {
namespace {

typedef double Vector __attribute__((vector_size(EXACTNET_VECTOR_BYTES)));

constexpr std::size_t lanes = EXACTNET_VECTOR_BYTES / sizeof(double);
constexpr std::size_t vectors = panel / lanes;    // of a panel
constexpr std::size_t most_panels = 8 / vectors;  // 8 vectors of sums keep the adders busy

inline Vector load(const double* p) {
    Vector v;
    std::memcpy(&v, p, sizeof(v));
    return v;
}

/// `count` panels at a time. Weights stay in the first-level cache while all rows pass over them.
template <std::size_t count>
void add_to_panels(const SparseRows& inputs, const double* values, const double* weights,
                   std::size_t weight_stride, double* sums, std::size_t sum_stride) {
    constexpr std::size_t n = count * vectors;
    const double* from[count];
    for (std::size_t c = 0; c < count; ++c) from[c] = weights + c * weight_stride;
    const std::uint32_t* const columns = inputs.columns;
    const auto offset = [](std::size_t v, std::size_t stride) {
        return v / vectors * stride + v % vectors * lanes;
    };
    for (std::size_t r = 0; r < inputs.rows; ++r) {
        double* const row = sums + r * panel;
        Vector sum[n];
#pragma GCC unroll 8
        for (std::size_t v = 0; v < n; ++v) sum[v] = load(row + offset(v, sum_stride));
        for (std::size_t e = inputs.offsets[r]; e < inputs.offsets[r + 1]; ++e) {
            const std::size_t at = columns[e];
            const double x = values[e];
#pragma GCC unroll 8
            for (std::size_t c = 0; c < count; ++c) {
                const double* const w = from[c] + at;
#pragma GCC unroll 8
                for (std::size_t v = 0; v < vectors; ++v) {
                    sum[c * vectors + v] += x * load(w + v * lanes);
                }
            }
        }
#pragma GCC unroll 8
        for (std::size_t v = 0; v < n; ++v) {
            std::memcpy(row + offset(v, sum_stride), &sum[v], sizeof(Vector));
        }
    }
}

/// Panels p ... n_panels - 1, `count` or fewer at a time.
template <std::size_t count>
void add_to_all(const SparseRows& inputs, const double* values, const double* weights,
                std::size_t weight_stride, std::size_t p, std::size_t n_panels, double* sums,
                std::size_t sum_stride) {
    for (; p + count <= n_panels; p += count) {
        add_to_panels<count>(inputs, values, weights + p * weight_stride, weight_stride,
                             sums + p * sum_stride, sum_stride);
    }
    if constexpr (count > 1) {
        add_to_all<count - 1>(inputs, values, weights, weight_stride, p, n_panels, sums,
                              sum_stride);
    }
}

}  // namespace

void add_product(const SparseRows& inputs, const double* values, const double* weights,
                 std::size_t weight_stride, std::size_t n_panels, double* sums,
                 std::size_t sum_stride) {
    add_to_all<most_panels>(inputs, values, weights, weight_stride, 0, n_panels, sums, sum_stride);
}

}  // namespace exactnet::exact::EXACTNET_ISA_NAMESPACE
