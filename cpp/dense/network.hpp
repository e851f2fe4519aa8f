// A dense network as the kernels want it: weights in panels, and the forward pass.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "kernels.hpp"
#include "types.hpp"

namespace exactnet::dense {

/// Numbers aligned for the kernels, zero at first.
template <class T>
class Buffer {
   public:
    Buffer() = default;
    explicit Buffer(std::size_t n)
        : size_(n),
          data_(static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{alignment}))) {
        std::memset(static_cast<void*>(data_.get()), 0, n * sizeof(T));
    }
    T* data() noexcept { return data_.get(); }
    const T* data() const noexcept { return data_.get(); }
    std::size_t size() const noexcept { return size_; }

   private:
    struct Delete {
        void operator()(T* p) const noexcept {
            ::operator delete(static_cast<void*>(p), std::align_val_t{alignment});
        }
    };
    std::size_t size_ = 0;
    std::unique_ptr<T, Delete> data_;
};

/// A layer of the caller's: activation(W x + b) with W (outputs, inputs), row-major, and b
/// (outputs,), borrowed.
template <class T>
struct Layer {
    std::size_t inputs = 0;
    std::size_t outputs = 0;
    Activation activation;
    T* weights = nullptr;
    T* biases = nullptr;
};

inline std::size_t round_up(std::size_t n, std::size_t unit) {
    return (n + unit - 1) / unit * unit;
}

/// A matrix (rows, columns) in panels of columns; see kernels.hpp. Whole squares of width x width
/// numbers are kept, so that transposing needs no special edge.
template <class T>
class Panels {
   public:
    Panels() = default;
    Panels(std::size_t rows, std::size_t columns, std::size_t width)
        : rows_(rows),
          columns_(columns),
          width_(width),
          count_((columns + width - 1) / width),
          stride_(round_up(rows, width) * width),
          data_(count_ * stride_) {}

    T* data() noexcept { return data_.data(); }
    const T* data() const noexcept { return data_.data(); }
    std::size_t size() const noexcept { return data_.size(); }
    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t width() const noexcept { return width_; }
    std::size_t count() const noexcept { return count_; }
    std::size_t stride() const noexcept { return stride_; }

    /// The rows from `row` on of panel `panel`.
    T* at(std::size_t panel, std::size_t row) noexcept {
        return data_.data() + panel * stride_ + row * width_;
    }
    /// The rows from `row` on as a factor of a product.
    View<T> view(std::size_t row = 0) const noexcept {
        return {data_.data() + row * width_, width_, stride_};
    }

    /// From and to a row-major matrix (columns, rows), such as a layer's weights.
    void read_transposed(const T* matrix) noexcept {
        for (std::size_t c = 0; c < columns_; ++c) {
            T* const column = at(c / width_, 0) + c % width_;
            for (std::size_t r = 0; r < rows_; ++r) column[r * width_] = matrix[c * rows_ + r];
        }
    }
    void write_transposed(T* matrix) noexcept {
        for (std::size_t c = 0; c < columns_; ++c) {
            const T* const column = at(c / width_, 0) + c % width_;
            for (std::size_t r = 0; r < rows_; ++r) matrix[c * rows_ + r] = column[r * width_];
        }
    }

   private:
    std::size_t rows_ = 0, columns_ = 0, width_ = 1, count_ = 0, stride_ = 0;
    Buffer<T> data_;
};

/// A layer in panels, with padded biases.
template <class T>
struct PackedLayer {
    PackedLayer(const Layer<T>& layer, const Kernels<T>& kernels)
        : source(layer),
          weights(layer.inputs, layer.outputs, kernels.width),
          biases(round_up(layer.outputs, kernels.width)) {
        read();
    }

    void read() noexcept {
        weights.read_transposed(source.weights);
        std::memcpy(biases.data(), source.biases, source.outputs * sizeof(T));
    }
    void write() noexcept {
        weights.write_transposed(source.weights);
        std::memcpy(source.biases, biases.data(), source.outputs * sizeof(T));
    }

    Layer<T> source;
    Panels<T> weights;
    Buffer<T> biases;
};

/// The forward pass of many samples, a part at a time.
template <class T>
class Forward {
   public:
    Forward(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, std::size_t n_samples);

    /// Rows of a part: as many as keep their activations in cache.
    std::size_t part() const noexcept { return part_; }

    /// Pre-activations (m, outputs) of the last layer for m <= part() rows of X, row-major.
    Panels<T>& run(const T* x, std::size_t m);

   private:
    const Kernels<T>& kernels_;
    std::size_t part_;
    std::vector<PackedLayer<T>> layers_;
    std::vector<Panels<T>> values_;
};

/// Outputs (n, outputs) of the network at X (n, inputs), both row-major and unaligned. Few samples
/// are computed straight from the caller's weights, many through panels. False if X is not finite;
/// the outputs are then undefined.
template <class T>
bool predict(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, const T* x,
             std::size_t n, T* outputs);

}  // namespace exactnet::dense
