#include "samples.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace exactnet::dense {
namespace {

// Below this density a product of sparse rows is faster than a dense one (benches/README.md).
constexpr double densest = 0.4;
// For fewer inputs, blocks and records cost more than they save.
constexpr std::size_t fewest_inputs = 64;
constexpr std::size_t cache_line = 64;
constexpr std::align_val_t huge_page{std::size_t{1} << 21};

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// The number without its sign, as bits: in the order of the sizes, and above `infinite_bits` - 1
/// for infinity and NaN.
template <class T>
Bits<T> magnitude(T x) noexcept {
    Bits<T> bits;
    std::memcpy(&bits, &x, sizeof(bits));
    return bits & (static_cast<Bits<T>>(-1) >> 1);
}

template <class T>
bool is_finite(Bits<T> largest) noexcept {
    return largest < magnitude(std::numeric_limits<T>::infinity());
}

}  // namespace

template <class T>
bool all_finite(const T* x, std::size_t n) noexcept {
    // what makes infinity reach the bit of the sign: adding it takes less than a comparison
    constexpr Bits<T> sign = ~(static_cast<Bits<T>>(-1) >> 1);
    const Bits<T> rest = sign - magnitude(std::numeric_limits<T>::infinity());
    Bits<T> all = 0;
    for (std::size_t k = 0; k < n; ++k) all |= magnitude(x[k]) + rest;
    return all < sign;
}

template <class T>
bool all_finite(const T* x, std::size_t n, Poll poll) {
    for (std::size_t begin = 0; begin < n; begin += Poll::unit) {
        const std::size_t count = std::min(Poll::unit, n - begin);
        if (!all_finite(x + begin, count)) return false;
        poll.done(count);
    }
    return true;
}

Records::Records(std::size_t size) : size_(size) {
    data_.reset(static_cast<std::byte*>(::operator new(size, huge_page)));
#if defined(__linux__)
    madvise(data_.get(), size, MADV_HUGEPAGE);  // far fewer page faults
#endif
}

void Records::Delete::operator()(std::byte* p) const noexcept {
    ::operator delete(static_cast<void*>(p), huge_page);
}

void Records::grow(std::size_t used, std::size_t by) {
    Records larger(size_ + by);
    std::memcpy(larger.data(), data(), used);
    *this = std::move(larger);
}

template <class T>
Samples<T>::Samples(const Matrix<T>& x, Poll poll)
    : x_(x),
      n_blocks_((x.inputs + sparse_block - 1) / sparse_block),
      header_(round_up((n_blocks_ + 1) * sizeof(std::uint32_t), sizeof(T))) {
    // the density of some rows, evenly spread, is near that of all
    constexpr std::size_t most_probes = 256;
    const std::size_t n = x.n, n_inputs = x.inputs;
    const std::size_t step = (n + most_probes - 1) / most_probes;
    std::size_t used = 0, probes = 0;
    for (std::size_t s = 0; s < n; s += step, ++probes) {
        const std::size_t end = x.first(s + 1);
        for (std::size_t k = x.first(s); k < end; ++k) used += x.value(k) != 0 ? 1 : 0;
    }
    const double density = static_cast<double>(used) / static_cast<double>(probes * n_inputs);
    if (n_inputs >= fewest_inputs && density < densest) {
        const auto expected = static_cast<std::size_t>(density * static_cast<double>(n * n_inputs));
        if (x.bytes != nullptr) {
            pack(x.bytes, expected, poll);
        } else {
            pack(x.values, expected, poll);
        }
    } else if (x.bytes == nullptr) {
        finite_ = all_finite(x.values, x.first(n), poll);
    }
}

template <class T>
template <class S>
void Samples<T>::pack(const S* given, std::size_t expected, Poll poll) {
    constexpr std::size_t bytes = sizeof(S) + 1;  // of an entry
    const std::size_t n = x_.n, n_inputs = x_.inputs;
    const std::size_t most = header_ + round_up((n_inputs + n_blocks_) * bytes, sizeof(T));
    records_ = Records(n * (header_ + 2 * sizeof(T)) + expected * bytes / 20 * 21 + most);
    starts_.reserve(n + 1);
    std::vector<std::uint8_t> columns(n_inputs + n_blocks_);
    std::size_t start = 0;
    Bits<T> largest = 0;
    for (std::size_t s = 0; s < n; ++s) {
        if (records_.size() - start < most) records_.grow(start, start / 2 + most);
        std::byte* const record = records_.data() + start;
        auto* const offsets = reinterpret_cast<std::uint32_t*>(record);
        auto* const values = reinterpret_cast<S*>(record + header_);
        const std::int64_t* const starts = x_.starts;
        std::int64_t entry = starts != nullptr ? starts[s] : 0;
        std::size_t count = 0;
        for (std::size_t b = 0; b < n_blocks_; ++b) {
            offsets[b] = static_cast<std::uint32_t>(count);
            const std::size_t first = b * sparse_block;
            const std::size_t end = std::min(sparse_block, n_inputs - first);
            const auto keep = [&](std::size_t k, S value) {
                values[count] = value;
                columns[count] = static_cast<std::uint8_t>(k);
                Bits<T> size = 0;
                if constexpr (std::is_same_v<S, T>) {
                    size = magnitude(value);
                    largest = std::max(largest, size);
                } else {
                    size = value;
                }
                count += size != 0 ? 1 : 0;
            };
            if (starts == nullptr) {
                const S* const block = given + s * n_inputs + first;
                for (std::size_t k = 0; k < end; ++k) keep(k, block[k]);
            } else {
                for (; entry < starts[s + 1]; ++entry) {
                    const std::size_t k = static_cast<std::size_t>(x_.columns[entry]) - first;
                    if (k >= end) break;
                    keep(k, given[entry]);
                }
            }
            if ((count - offsets[b]) % 2 != 0) {  // an entry more, of 0
                values[count] = 0;
                columns[count++] = 0;
            }
        }
        offsets[n_blocks_] = static_cast<std::uint32_t>(count);
        most_entries_ = std::max(most_entries_, count);
        std::memcpy(values + count, columns.data(), count);
        starts_.push_back(start);
        start += header_ + round_up(count * bytes, sizeof(T));
        poll.done(starts != nullptr ? count + n_blocks_ : n_inputs);
    }
    starts_.push_back(start);
    finite_ = is_finite<T>(largest);
}

template <class T>
SparseRow<T> Samples<T>::row(std::size_t sample, T* space) const noexcept {
    const std::byte* const record = records_.data() + starts_[sample];
    const auto* const offsets = reinterpret_cast<const std::uint32_t*>(record);
    if (x_.bytes != nullptr) {
        const auto* const values = reinterpret_cast<const std::uint8_t*>(record + header_);
        std::copy_n(values, offsets[n_blocks_], space);
        return {offsets, space, values + offsets[n_blocks_]};
    }
    const auto* const values = reinterpret_cast<const T*>(record + header_);
    return {offsets, values, reinterpret_cast<const std::uint8_t*>(values + offsets[n_blocks_])};
}

template <class T>
void Samples<T>::copy(std::size_t sample, Panels<T>& batch, std::size_t r) const noexcept {
    const std::size_t n_inputs = x_.inputs, width = batch.width();
    const std::size_t first = x_.first(sample);
    for (std::size_t p = 0, k = 0; k < n_inputs; ++p, k += width) {
        const std::size_t count = std::min(width, n_inputs - k);
        T* const to = batch.at(p, r);
        if (x_.bytes != nullptr) {
            std::copy_n(x_.bytes + first + k, count, to);
        } else if (!x_.sparse()) {
            std::copy_n(x_.values + first + k, count, to);
        } else {
            std::fill_n(to, count, T(0));
        }
    }
    if (!x_.sparse()) return;
    x_.each(sample, [&](std::size_t k, T value) { batch.at(k / width, r)[k % width] = value; });
}

template <class T>
void Samples<T>::prefetch(std::size_t sample) const noexcept {
    const std::byte *begin, *end;
    if (sparse()) {
        begin = records_.data() + starts_[sample];
        end = records_.data() + starts_[sample + 1];
    } else if (x_.bytes != nullptr) {
        begin = reinterpret_cast<const std::byte*>(x_.bytes + x_.first(sample));
        end = begin + x_.inputs;
    } else {
        begin = reinterpret_cast<const std::byte*>(x_.values + x_.first(sample));
        end = reinterpret_cast<const std::byte*>(x_.values + x_.first(sample + 1));
    }
    // not into the first-level cache, which is full of weights
    for (; begin < end; begin += cache_line) __builtin_prefetch(begin, 0, 1);
}

template class Samples<float>;
template class Samples<double>;
template bool all_finite(const float*, std::size_t) noexcept;
template bool all_finite(const double*, std::size_t) noexcept;
template bool all_finite(const float*, std::size_t, Poll);
template bool all_finite(const double*, std::size_t, Poll);

}  // namespace exactnet::dense
