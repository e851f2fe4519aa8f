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

/// `count` panels at a time. Weights stay in the first-level cache while all rows pass over them.
template <std::size_t count>
void add_to_panels(const SparseRows& inputs, const double* values, const double* weights,
                   std::size_t weight_stride, double* sums, std::size_t sum_stride) {
    for (std::size_t r = 0; r < inputs.rows; ++r) {
        Vector sum[count * vectors];
        double* const row = sums + r * panel;
        for (std::size_t v = 0; v < count * vectors; ++v) {
            std::memcpy(&sum[v], row + v / vectors * sum_stride + v % vectors * lanes,
                        sizeof(Vector));
        }
        for (std::size_t e = inputs.offsets[r]; e < inputs.offsets[r + 1]; ++e) {
            const double* const at = weights + inputs.columns[e] * panel;
            const double x = values[e];
            for (std::size_t v = 0; v < count * vectors; ++v) {
                Vector w;
                std::memcpy(&w, at + v / vectors * weight_stride + v % vectors * lanes, sizeof(w));
                sum[v] += x * w;
            }
        }
        for (std::size_t v = 0; v < count * vectors; ++v) {
            std::memcpy(row + v / vectors * sum_stride + v % vectors * lanes, &sum[v],
                        sizeof(Vector));
        }
    }
}

}  // namespace

void add_product(const SparseRows& inputs, const double* values, const double* weights,
                 std::size_t weight_stride, std::size_t n_panels, double* sums,
                 std::size_t sum_stride) {
    std::size_t p = 0;
    for (; p + most_panels <= n_panels; p += most_panels) {
        add_to_panels<most_panels>(inputs, values, weights + p * weight_stride, weight_stride,
                                   sums + p * sum_stride, sum_stride);
    }
    for (; p < n_panels; ++p) {
        add_to_panels<1>(inputs, values, weights + p * weight_stride, weight_stride,
                         sums + p * sum_stride, sum_stride);
    }
}

}  // namespace exactnet::exact::EXACTNET_ISA_NAMESPACE
