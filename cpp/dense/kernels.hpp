// The inner loops of dense networks, compiled once per instruction set from kernels.inl.
//
// Every matrix of the core is kept in panels: panel p holds the columns p * width ...
// (p + 1) * width - 1 as rows of `width` numbers, padded with columns of zeros. Weights are
// (inputs, outputs), activations and their gradients (samples, units). A product then reads both
// its factors front to back, whatever their sizes, and a row of a panel fills whole vectors. Layers
// of few units, in training, have one panel of fewer columns: see panel_width.
//
// Every sum over inputs or samples runs in an order that does not depend on the vector length: all
// instruction sets with fused multiply-add give the same bits.
//
// Panels and biases are aligned to `alignment` bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "optimizer.hpp"
#include "types.hpp"

namespace exactnet::dense {

inline constexpr std::size_t alignment = 64;

/// The left factor of a product: element (r, k) is
/// data[k / width * panel_stride + r * row_stride + k % width]. With panel_stride = width that is a
/// row-major matrix, which need not be aligned.
template <class T>
struct View {
    const T* data;
    std::size_t row_stride;
    std::size_t panel_stride;
};

/// The non-zero inputs of one sample; see samples.hpp. Block b of the inputs, `sparse_block` of
/// them, holds the entries offsets[b] ... offsets[b + 1] - 1, an even number.
template <class T>
struct SparseRow {
    const std::uint32_t* offsets;
    const T* values;
    const std::uint8_t* columns;  // within the block
};

/// So many rows of a panel stay in the first-level cache while all samples pass over them.
inline constexpr std::size_t sparse_block = 196;

/// How the sum over the batch, s, changes weights.
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

/// The weights of a layer, with what a step needs beside them in the same layout.
template <class T>
struct Parameters {
    T* weights;
    T* velocity;  // null if the step needs none
    T* sums;      // of sparse updates with momentum: zero before and after; else null
    std::size_t panel_stride;
    std::size_t n_panels;
    T* biases = nullptr;         // where a narrow update changes them, too,
    T* bias_velocity = nullptr;  // with their velocity
};

/// A layer of at most four units and four inputs, without softmax: matrices of four columns.
template <class T>
struct SmallLayer {
    std::size_t inputs, outputs;
    Activation activation;
    T *weights, *biases, *velocity, *bias_velocity;  // the latter two may be null
    T *values, *deltas;                              // of samples
};

/// Squares: the r-th loss, of sample samples[r], is `scale` times the sum of those of its errors,
/// and their gradient `factor` times the errors. Without values, labels are targets.
template <class T>
struct SmallLoss {
    const T* values;
    const std::int64_t* labels;
    const std::uint32_t* samples;
    T factor;
    double scale;
    double* losses;
};

template <class T>
struct Kernels {
    const char* name;
    std::size_t width;      // columns of a panel
    std::size_t list_rows;  // rows that share a list of their columns that are not 0

    /// Z (m, columns) = bias + A (m, n_k) W. `bias` may be null.
    void (*product)(std::size_t m, std::size_t n_k, View<T> a, const T* w, std::size_t w_stride,
                    std::size_t n_panels, const T* bias, T* z, std::size_t z_stride);

    /// Applies `step` with s = A^T D to the rows k_begin ... k_end - 1 of the weights, where
    /// k_begin is a multiple of width.
    void (*update)(std::size_t m, std::size_t k_begin, std::size_t k_end, View<T> a, const T* d,
                   std::size_t d_stride, Parameters<T> parameters, Step<T> step);

    /// As `product`, of sparse rows with n_k columns.
    void (*sparse_product)(std::size_t m, std::size_t n_k, const SparseRow<T>* rows, const T* w,
                           std::size_t w_stride, std::size_t n_panels, const T* bias, T* z,
                           std::size_t z_stride);

    /// Lists, for every `list_rows` rows of A (m, n_k), row-major, the columns in which not all of
    /// them are 0: those of the g-th begin at lists[g * (n_k + 1)], with their number before them.
    /// False if A is not finite.
    bool (*list_columns)(std::size_t m, std::size_t n_k, const T* a, std::uint32_t* lists);

    /// As `product`, of row-major A and finite W, to the bit, of the listed columns alone. False if
    /// the result is undefined: a sum is -0, which the columns left out might have made 0.
    bool (*listed_product)(std::size_t m, std::size_t n_k, const T* a, const std::uint32_t* lists,
                           const T* w, std::size_t w_stride, std::size_t n_panels, const T* bias,
                           T* z, std::size_t z_stride);

    /// As `update`, of sparse rows with n_k columns, for the blocks b_begin ... b_end - 1 of
    /// columns. A step `gradient` needs weights that are zero.
    void (*sparse_update)(std::size_t m, std::size_t n_k, std::size_t b_begin, std::size_t b_end,
                          const SparseRow<T>* rows, const T* d, std::size_t d_stride,
                          Parameters<T> parameters, Step<T> step);

    /// gradients += alpha times the derivative of sum |w|^p over n weights; see docs/training.md.
    void (*penalize)(std::size_t n, const T* weights, T* gradients, double alpha, double p);

    /// One step on n gradients. `first` holds velocities or first moments and may be null for plain
    /// descent, `second` the second moments of Adam.
    void (*optimize)(std::size_t n, const T* gradients, T* weights, T* first, T* second,
                     Rule<T> rule);

    /// Writes rows k_begin ... k_end - 1 of W, in panels of w_width columns, as columns of its
    /// transpose, in panels of t_width; k_begin is a multiple of width.
    void (*transpose)(std::size_t k_begin, std::size_t k_end, std::size_t columns, const T* w,
                      std::size_t w_width, std::size_t w_stride, T* transposed, std::size_t t_width,
                      std::size_t t_stride);

    /// z, in place; n is a multiple of width / 2. Not for softmax.
    void (*activate)(Activation activation, T* z, std::size_t n);

    /// Softmax of the rows of z (m, n), in place. Row r had the largest element high[r] and the sum
    /// sum[r] of exp(z - high[r]). Leaves the padding undefined.
    void (*softmax)(std::size_t m, std::size_t n, T* z, std::size_t z_stride, T* high, T* sum);

    /// d *= derivative of the activation where its value is a, over n numbers; not for softmax.
    void (*multiply_derivative)(Activation activation, const T* a, T* d, std::size_t n);

    /// out[r] = bias[r] + sum over k of weights[r * n_k + k] x[k], for one unaligned sample.
    void (*dot_rows)(const T* weights, const T* bias, const T* x, std::size_t rows, std::size_t n_k,
                     T* out);

    /// As `product` and `update`, of W in one panel of panel_width columns, less than width.
    void (*narrow_product)(std::size_t columns, std::size_t m, std::size_t n_k, View<T> a,
                           const T* w, const T* bias, T* z);
    void (*narrow_update)(std::size_t columns, std::size_t m, std::size_t k_begin,
                          std::size_t k_end, View<T> a, const T* d, Parameters<T> parameters,
                          Step<T> step);

    /// Of small layers, all that concerns rows begin ... begin + m - 1 of the batch up to their
    /// deltas, and the step of m samples then.
    void (*small_pass)(const SmallLayer<T>* layers, std::size_t n_layers, std::size_t begin,
                       std::size_t m, const T* x, const SmallLoss<T>& loss);
    void (*small_update)(const SmallLayer<T>* layers, std::size_t n_layers, std::size_t m,
                         const T* x, Step<T> step);
};

/// So many numbers, rounded up to vectors.
template <class T>
std::size_t whole_vectors(const Kernels<T>& kernels, std::size_t n) {
    const std::size_t last = kernels.width / 2 - 1;  // a power of two, less 1
    return (n + last) & ~last;
}

/// Columns of the only panel that so many fit into: 4, or those of a vector; else width.
template <class T>
std::size_t panel_width(const Kernels<T>& kernels, std::size_t columns) {
    constexpr std::size_t least = 4;
    const std::size_t half = kernels.width / 2;
    if (columns <= least && least < kernels.width) return least;
    return columns <= half && half > least ? half : kernels.width;
}

/// Instruction sets by name, fastest first, that this processor can run.
std::vector<std::string> supported_isas();

/// The kernels of one instruction set, or of the fastest one for an empty name.
/// Throws std::invalid_argument for a name that is not in `supported_isas`.
template <class T>
const Kernels<T>& kernels(const std::string& isa);

}  // namespace exactnet::dense
