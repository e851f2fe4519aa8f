// The inner loops of dense networks, compiled once per instruction set from kernels.inl.
//
// Weights are kept input-major in panels: panel p holds the columns (outputs) p * width ...
// (p + 1) * width - 1 as rows of `width` numbers, one row per input, padded with zeros. A panel is
// read front to back, whatever the layer's size, and every sum over inputs runs in the order of the
// inputs, whatever the vector length: all instruction sets with fused multiply-add give the same
// bits.
//
// All pointers to panels, biases, and rows of activations and deltas are aligned to `alignment`
// bytes, and their rows padded to a multiple of `width`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "types.hpp"

namespace exactnet::dense {

inline constexpr std::size_t alignment = 64;

/// Inputs of a product: element (r, k) is data[r * row_stride + k * k_stride].
template <class T>
struct Inputs {
    const T* data;
    std::size_t row_stride;
    std::size_t k_stride;
};

/// How `update` turns the sum over the batch, s, into a change of weights.
template <class T>
struct Step {
    enum class Kind {
        gradient,  ///< weights = scale s
        sgd,       ///< weights += scale s
        momentum,  ///< v = mu v + scale s, weights += v
        nesterov,  ///< v = mu v + scale s, weights += mu v + scale s
    };
    Kind kind = Kind::sgd;
    T scale = 0;
    T momentum = 0;
};

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
struct Kernels {
    const char* name;
    std::size_t width;  // numbers in a row of a panel

    /// Z (m, panels) = bias + A (m, n_k) W. Row k of A belongs to row index[k] of a panel, or to
    /// row k where `index` is null. `panel_stride` is the distance between panels.
    void (*product)(std::size_t m, std::size_t n_k, Inputs<T> a, const std::uint32_t* index,
                    const T* panels, std::size_t panel_stride, std::size_t n_panels, const T* bias,
                    T* z, std::size_t z_stride);

    /// Applies `step` with s = A^T D to the rows of all panels that `index` names (or to the first
    /// n_k). `velocity` has the layout of `panels` and may be null if the step needs none.
    void (*update)(std::size_t m, std::size_t n_k, Inputs<T> a, const std::uint32_t* index,
                   const T* d, std::size_t d_stride, T* panels, T* velocity,
                   std::size_t panel_stride, std::size_t n_panels, Step<T> step);

    /// The same step with s = 0 for `n` numbers.
    void (*coast)(T* weights, T* velocity, std::size_t n, Step<T> step);

    /// z (m, n), in place; rows are `stride` apart. Softmax leaves the padding undefined.
    void (*activate)(Activation activation, T* z, std::size_t m, std::size_t n, std::size_t stride);

    /// d *= derivative of the activation where its value is a, over n numbers; not for softmax.
    void (*multiply_derivative)(Activation activation, const T* a, T* d, std::size_t n);

    /// out[r] = bias[r] + sum over k of weights[r * n_k + k] x[k], for one unaligned sample.
    void (*dot_rows)(const T* weights, const T* bias, const T* x, std::size_t rows, std::size_t n_k,
                     T* out);

    /// flags[k] != 0 where any of the m unaligned rows has a number other than 0 in column k < n.
    void (*scan)(const T* const* rows, std::size_t m, std::size_t n, Bits<T>* flags);
};

/// Instruction sets by name, fastest first, that this processor can run.
std::vector<std::string> supported_isas();

/// The kernels of one instruction set, or of the fastest one for an empty name.
/// Throws std::invalid_argument for a name that is not in `supported_isas`.
template <class T>
const Kernels<T>& kernels(const std::string& isa);

}  // namespace exactnet::dense
