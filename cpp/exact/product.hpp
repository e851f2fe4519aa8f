// Products of sparse rows with matrices in float64, compiled once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace exactnet::exact {

/// Matrices of sums and of weights are kept in panels of so many units: panel p holds units
/// p * panel ... p * panel + panel - 1 as rows of `panel` numbers.
inline constexpr std::size_t panel = 8;

/// Some inputs of some points, without zeros: entries offsets[r] ... offsets[r + 1] - 1 are those
/// of row r, and entry e belongs to row columns[e] / panel of the weights.
struct SparseRows {
    std::size_t rows;
    const std::uint32_t* offsets;
    const std::uint32_t* columns;
};

/// sums (rows, panels) += entries (rows, inputs) weights (inputs, panels). The caller has seen to
/// it that all sums are integers that float64 holds: their order and fused operations do not
/// matter then.
using AddProduct = void (*)(const SparseRows& inputs, const double* values, const double* weights,
                            std::size_t weight_stride, std::size_t n_panels, double* sums,
                            std::size_t sum_stride);

/// Those that this processor can run, the fastest last.
std::vector<AddProduct> products();

}  // namespace exactnet::exact
