// The inputs of a training, in the form its first layer wants them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels.hpp"
#include "matrix.hpp"
#include "network.hpp"
#include "poll.hpp"

namespace exactnet::dense {

/// Uninitialised memory.
class Records {
   public:
    Records() = default;
    explicit Records(std::size_t size);
    std::byte* data() noexcept { return data_.get(); }
    const std::byte* data() const noexcept { return data_.get(); }
    std::size_t size() const noexcept { return size_; }

    /// Makes room for `by` bytes more and keeps the first `used`.
    void grow(std::size_t used, std::size_t by);

   private:
    struct Delete {
        void operator()(std::byte* p) const noexcept;
    };
    std::size_t size_ = 0;
    std::unique_ptr<std::byte, Delete> data_;
};

/// Rows of X (samples, inputs), which are borrowed; or, where most numbers are 0, as the pixels of
/// handwriting are, copies of only the others. Which of the two depends on the numbers alone, not
/// on the form in which X holds them. Bytes stay bytes until they are used. Another thread may
/// write into X meanwhile: no place in memory hangs on what is read there, but for the columns of a
/// sparse X, which nobody may write to.
template <class T>
class Samples {
   public:
    explicit Samples(const Matrix<T>& x, Poll poll = {});

    std::size_t size() const noexcept { return x_.n; }
    std::size_t inputs() const noexcept { return x_.inputs; }
    bool finite() const noexcept { return finite_; }
    bool sparse() const noexcept { return !starts_.empty(); }

    /// Of a sparse sample; values of bytes are written into `space`.
    SparseRow<T> row(std::size_t sample, T* space = nullptr) const noexcept;

    /// Numbers that `space` must hold.
    std::size_t space() const noexcept { return x_.bytes != nullptr ? most_entries_ : 0; }

    /// The numbers of a dense sample, or null where they are bytes or in compressed rows.
    const T* numbers(std::size_t sample) const noexcept {
        return x_.values == nullptr || x_.sparse() ? nullptr : x_.values + sample * x_.inputs;
    }

    /// Copies a dense sample into row r of `batch`.
    void copy(std::size_t sample, Panels<T>& batch, std::size_t r) const noexcept;

    /// Tells the processor that the sample will be needed soon.
    void prefetch(std::size_t sample) const noexcept;

   private:
    template <class S>
    void pack(const S* given, std::size_t expected, Poll poll);

    Matrix<T> x_;
    bool finite_ = true;
    // A sparse sample is one record: offsets of the blocks, values, columns. That of sample s fills
    // the bytes starts_[s] ... starts_[s + 1] - 1.
    std::size_t n_blocks_;
    std::size_t header_;  // bytes that the offsets take
    std::size_t most_entries_ = 0;
    Records records_;
    std::vector<std::size_t> starts_;
};

}  // namespace exactnet::dense
