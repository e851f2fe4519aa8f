// A dense network as the kernels want it: weights in panels, and the forward pass.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "base/monitor.hpp"
#include "kernels.hpp"
#include "matrix.hpp"
#include "poll.hpp"
#include "types.hpp"

namespace exactnet::dense {

/// Numbers aligned for the kernels, zero at first: large ones are pages that the system makes zero
/// as they are first used, so that none of it is one long step.
template <class T>
class Buffer {
   public:
    Buffer() = default;
    explicit Buffer(std::size_t n) : size_(n) {
        constexpr std::size_t spare = alignment / sizeof(T);
        if (n > SIZE_MAX - spare) throw std::bad_alloc();
        memory_.reset(std::calloc(n + spare, sizeof(T)));
        if (memory_ == nullptr) throw std::bad_alloc();
        const auto address = reinterpret_cast<std::uintptr_t>(memory_.get());
        data_ = reinterpret_cast<T*>((address + alignment - 1) / alignment * alignment);
    }
    T* data() noexcept { return data_; }
    const T* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

   private:
    struct Free {
        void operator()(void* p) const noexcept { std::free(p); }
    };
    std::size_t size_ = 0;
    std::unique_ptr<void, Free> memory_;
    T* data_ = nullptr;  // the aligned part of it
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
/// numbers are kept, or `rows_unit` rows of narrow panels, so that kernels need no special edge.
template <class T>
class Panels {
   public:
    Panels() = default;
    Panels(std::size_t rows, std::size_t columns, std::size_t width, std::size_t rows_unit = 1)
        : rows_(rows),
          columns_(columns),
          width_(width),
          count_((columns + width - 1) / width),
          stride_(round_up(rows, std::max(width, rows_unit)) * width),
          data_(count_ * stride_) {}

    T* data() noexcept { return data_.data(); }
    const T* data() const noexcept { return data_.data(); }
    std::size_t size() const noexcept { return data_.size(); }
    /// Numbers up to the end of the last row.
    std::size_t used() const noexcept { return count_ == 1 ? rows_ * width_ : data_.size(); }
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
    void read_transposed(const T* matrix, Poll poll = {}) {
        each_block([&](T* panel, std::size_t first, std::size_t begin, std::size_t end) {
            for (std::size_t c = first; c < std::min(columns_, first + width_); ++c) {
                T* const column = panel + c - first;
                for (std::size_t r = begin; r < end; ++r) {
                    column[r * width_] = matrix[c * rows_ + r];
                }
            }
            poll.done((end - begin) * width_);
        });
    }
    void write_transposed(T* matrix) {
        each_block([&](const T* panel, std::size_t first, std::size_t begin, std::size_t end) {
            for (std::size_t c = first; c < std::min(columns_, first + width_); ++c) {
                const T* const column = panel + c - first;
                for (std::size_t r = begin; r < end; ++r) {
                    matrix[c * rows_ + r] = column[r * width_];
                }
            }
        });
    }

   private:
    /// Calls body(panel, its first column, begin, end) for blocks of rows that stay in cache while
    /// they are transposed.
    template <class Body>
    void each_block(const Body& body) {
        constexpr std::size_t most = 128;
        for (std::size_t p = 0; p < count_; ++p) {
            for (std::size_t r = 0; r < rows_; r += most) {
                body(at(p, 0), p * width_, r, std::min(rows_, r + most));
            }
        }
    }

    std::size_t rows_ = 0, columns_ = 0, width_ = 1, count_ = 0, stride_ = 0;
    Buffer<T> data_;
};

/// A layer in panels, with padded biases.
template <class T>
struct PackedLayer {
    PackedLayer(const Layer<T>& layer, const Kernels<T>& kernels, Poll poll = {})
        : PackedLayer(layer, kernels, kernels.width, poll) {}
    /// In panels of another width.
    PackedLayer(const Layer<T>& layer, const Kernels<T>& kernels, std::size_t width, Poll poll)
        : source(layer),
          weights(layer.inputs, layer.outputs, width, kernels.width),
          biases(round_up(layer.outputs, std::max(width, kernels.width / 2))) {
        read(poll);
    }

    void read(Poll poll = {}) {
        weights.read_transposed(source.weights, poll);
        std::memcpy(biases.data(), source.biases, source.outputs * sizeof(T));
    }
    void write() {
        weights.write_transposed(source.weights);
        std::memcpy(source.biases, biases.data(), source.outputs * sizeof(T));
    }

    Layer<T> source;
    Panels<T> weights;
    Buffer<T> biases;
};

/// Multiply-adds of a pass of one sample, or what takes about as long.
template <class T>
std::size_t work_of(const std::vector<Layer<T>>& layers) {
    constexpr std::size_t per_unit = 8;  // of activations
    std::size_t work = layers.front().inputs;
    for (const Layer<T>& layer : layers) work += layer.outputs * (layer.inputs + per_unit);
    return work;
}

/// Calls body(first, count) for all panels of w, which m rows are multiplied with, as many at a
/// time as leave poll its turns.
template <class T, class Body>
void each_panels(std::size_t m, const Panels<T>& w, Poll& poll, const Body& body) {
    const std::size_t work = m * w.rows() * w.width();  // of a panel
    // without a division where one call will do
    const std::size_t most =
        work * w.count() <= Poll::unit ? w.count() : std::max<std::size_t>(1, Poll::unit / work);
    for (std::size_t p = 0; p < w.count(); p += most) {
        const std::size_t count = std::min(most, w.count() - p);
        body(p, count);
        poll.done(count * work);
    }
}

/// The kernel's product of m rows, into those of z from `row` on.
template <class T>
void product(const Kernels<T>& kernels, std::size_t m, View<T> a, const Panels<T>& w, const T* bias,
             Panels<T>& z, std::size_t row, Poll& poll) {
    if (w.width() != kernels.width) {
        kernels.narrow_product(w.width(), m, w.rows(), a, w.data(), bias, z.at(0, row));
        return poll.done(m * w.rows() * w.width());
    }
    each_panels(m, w, poll, [&](std::size_t p, std::size_t count) {
        kernels.product(m, w.rows(), a, w.data() + p * w.stride(), w.stride(), count,
                        bias != nullptr ? bias + p * kernels.width : nullptr, z.at(p, row),
                        z.stride());
    });
}

/// All layers in panels, which threads share.
template <class T>
struct PackedLayers {
    PackedLayers(const std::vector<Layer<T>>& all, const Kernels<T>& with, Poll poll);

    const Kernels<T>& kernels;
    std::vector<PackedLayer<T>> layers;
    bool skips;  ///< whether inputs that are 0 change no sum: with finite weights
};

/// The forward pass of samples, a part at a time.
template <class T>
class Forward {
   public:
    Forward(const PackedLayers<T>& packed, std::size_t n_samples);

    /// Rows of a part: as many as keep their activations in cache.
    static constexpr std::size_t part = 96;

    /// Pre-activations (m, outputs) of the last layer for m <= part rows of X, row-major; null if
    /// these are not finite.
    Panels<T>* run(const T* x, std::size_t m, Poll& poll);

   private:
    bool run_first(const T* x, std::size_t m, Poll& poll);

    const PackedLayers<T>& packed_;
    std::vector<Panels<T>> values_;
    std::vector<std::uint32_t> lists_;  // of the columns of X that are not 0
};

/// Passes all rows of X forward in at most `n_threads` threads, fewer where they would not pay.
/// Each calls a make() of its own as finish(begin, m, z) for parts of rows from `begin` on, with
/// their pre-activations z of the last layer. False if X is not finite; not all rows have come
/// then.
template <class T, class Make>
bool forward_all(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, const Matrix<T>& x,
                 std::size_t n_threads, Poll poll, const Make& make) {
    constexpr std::size_t part = Forward<T>::part;
    const PackedLayers<T> packed(layers, kernels, poll);
    std::atomic<bool> finite{true};
    const auto pass = [&](std::size_t begin, std::size_t end, Poll& turns) {
        Forward<T> forward(packed, end - begin);
        std::vector<T> space;
        auto finish = make();
        for (; begin < end && finite; begin += part) {
            const std::size_t m = std::min(part, end - begin);
            if (Panels<T>* const z = forward.run(x.rows(begin, m, space), m, turns)) {
                finish(begin, m, *z);
            } else {
                finite = false;
            }
        }
    };
    constexpr std::size_t least_work = std::size_t{1} << 21;  // which makes up for a thread's start
    n_threads = std::min(n_threads, x.n * work_of(layers) / least_work);
    if (n_threads <= 1) {
        pass(0, x.n, poll);
        return finite;
    }
    base::Monitor monitor([&](double) { poll.done(Poll::unit); });
    const Poll::Call call = [&] { monitor.step(0); };
    const std::size_t n_tasks = base::task_count((x.n + part - 1) / part, n_threads, 4);
    base::parallel_for(n_tasks, n_threads, monitor, [&](std::size_t i) {
        Poll turns(call);
        pass(x.n * i / n_tasks, x.n * (i + 1) / n_tasks, turns);
    });
    return finite;
}

/// Outputs (n, outputs) of the network at X (n, inputs), row-major and unaligned. Few samples are
/// computed straight from the caller's weights, many through panels. False if X is not finite; the
/// outputs are then undefined.
template <class T>
bool predict(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, const Matrix<T>& x,
             T* outputs, std::size_t n_threads = 1, Poll poll = {});

}  // namespace exactnet::dense
