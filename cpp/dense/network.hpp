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

/// A matrix (rows, columns) in panels of columns; see kernels.hpp.
template <class T>
class Panels {
   public:
    Panels() = default;
    Panels(std::size_t rows, std::size_t columns, std::size_t width)
        : rows_(rows),
          columns_(columns),
          width_(width),
          count_((columns + width - 1) / width),
          data_(rows * count_ * width) {}

    T* data() noexcept { return data_.data(); }
    const T* data() const noexcept { return data_.data(); }
    std::size_t size() const noexcept { return data_.size(); }
    std::size_t rows() const noexcept { return rows_; }
    std::size_t columns() const noexcept { return columns_; }
    std::size_t count() const noexcept { return count_; }
    std::size_t stride() const noexcept { return rows_ * width_; }

    T& at(std::size_t row, std::size_t column) noexcept {
        return data_.data()[column / width_ * stride() + row * width_ + column % width_];
    }

    /// From and to a row-major matrix (columns, rows), such as a layer's weights.
    void read_transposed(const T* matrix) noexcept {
        for (std::size_t c = 0; c < columns_; ++c) {
            T* const column = &at(0, c);
            for (std::size_t r = 0; r < rows_; ++r) column[r * width_] = matrix[c * rows_ + r];
        }
    }
    void write_transposed(T* matrix) noexcept {
        for (std::size_t c = 0; c < columns_; ++c) {
            const T* const column = &at(0, c);
            for (std::size_t r = 0; r < rows_; ++r) matrix[c * rows_ + r] = column[r * width_];
        }
    }

   private:
    std::size_t rows_ = 0, columns_ = 0, width_ = 1, count_ = 0;
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
    std::size_t padded_outputs() const noexcept { return biases.size(); }

    Layer<T> source;
    Panels<T> weights;
    Buffer<T> biases;
};

/// Outputs (n, outputs) of the network at X (n, inputs), both row-major and unaligned.
/// `activate_last` off leaves the last layer's pre-activations. Few samples are computed straight
/// from the caller's weights, many through panels.
template <class T>
void predict(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, const T* x,
             std::size_t n, T* outputs, bool activate_last = true);

}  // namespace exactnet::dense
