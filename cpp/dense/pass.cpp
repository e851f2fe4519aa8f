// A trainer's way through a batch: forward to the loss, and back to the deltas.
#include <algorithm>

#include "trainer.hpp"

namespace exactnet::dense {

/// Fetches the samples of rows of the batch that begins with order_[first].
template <class T>
void Trainer<T>::fetch(std::size_t first, Range rows) {
    const std::size_t few = batch_.width() < kernels_.width ? samples_.inputs() : 0;
    for (std::size_t r = rows.begin; r < rows.end; ++r) {
        const std::uint32_t sample = order_[first + r];
        const T* numbers;
        if (sparse_) {
            rows_[r] = samples_.row(sample, row_values_.data() + r * samples_.space());
        } else if (few != 0 && (numbers = samples_.numbers(sample)) != nullptr) {
            T* const to = batch_.at(0, r);
            for (std::size_t k = 0; k < few; ++k) to[k] = numbers[k];
            continue;  // so few are soon there
        } else {
            samples_.copy(sample, batch_, r);
        }
        const std::size_t next = first + r + batch_size_;
        if (next < order_.size()) samples_.prefetch(order_[next]);
    }
}

/// Of rows of the batch that begins with order_[first]: pre-activations of the last layer.
template <class T>
void Trainer<T>::forward(std::size_t first, Range rows, std::uint64_t dropout_seed, Poll& poll) {
    const std::size_t m = rows.end - rows.begin;
    for (std::size_t l = 0; l < levels_.size(); ++l) {
        Level& level = levels_[l];
        const PackedLayer<T>& packed = level.packed;
        const Panels<T>& w = packed.weights;
        T* const z = level.values.at(0, rows.begin);
        if (l == 0 && sparse_) {
            kernels_.sparse_product(m, w.rows(), rows_.data() + rows.begin, w.data(), w.stride(),
                                    w.count(), packed.biases.data(), z, level.values.stride());
        } else {
            product(kernels_, m, inputs_of(l).view(rows.begin), w, packed.biases.data(),
                    level.values, rows.begin, poll);
        }
        if (l + 1 == levels_.size()) break;
        const std::size_t n = whole_vectors(kernels_, m * level.values.width());
        for (std::size_t p = 0; p < level.values.count(); ++p) {
            kernels_.activate(packed.source.activation, level.values.at(p, rows.begin), n);
        }
        if (level.mask.size() != 0) drop(l, first, rows, dropout_seed);
    }
}

/// What layer l takes in.
template <class T>
const Panels<T>& Trainer<T>::inputs_of(std::size_t l) const {
    if (l == 0) return batch_;
    const Level& below = levels_[l - 1];
    return below.dropped.size() != 0 ? below.dropped : below.values;
}

/// Drops units of layer l: each number of the generator decides on four units of a sample, so that
/// neither threads nor the width of panels matter.
template <class T>
void Trainer<T>::drop(std::size_t l, std::size_t first, Range rows, std::uint64_t seed) {
    Level& level = levels_[l];
    const std::size_t width = level.values.width(), n = level.packed.source.outputs;
    const double rate = optimizer_.dropout[l];
    const auto threshold = static_cast<std::uint64_t>(rate * 65536);
    const T kept = static_cast<T>(1 / (1 - static_cast<double>(threshold) / 65536));
    for (std::size_t r = rows.begin; r < rows.end; ++r) {
        Generator generator(seed + (first + r) * 0xd1342543de82ef95ULL + l * 0xaf251af3b0f025b5ULL);
        for (std::size_t k = 0; k < n; k += 4) {
            const std::uint64_t draw = generator.next();
            const std::size_t at = k % width, count = std::min<std::size_t>(4, n - k);
            T* const mask = level.mask.at(k / width, r) + at;
            T* const dropped = level.dropped.at(k / width, r) + at;
            const T* const values = level.values.at(k / width, r) + at;
            for (std::size_t i = 0; i < count; ++i) {
                mask[i] = (draw >> (16 * i) & 0xffff) < threshold ? T(0) : kept;
                dropped[i] = values[i] * mask[i];
            }
        }
    }
}

/// Deltas of rows of the batch, from the last layer down. The padding of deltas stays 0: it comes
/// from columns of zeros, times finite derivatives.
template <class T>
void Trainer<T>::backward(Range rows, Poll& poll) {
    const std::size_t m = rows.end - rows.begin;
    for (std::size_t l = levels_.size() - 1; l > 0; --l) {
        Level &level = levels_[l], &below = levels_[l - 1];
        product(kernels_, m, level.deltas.view(rows.begin), level.transposed,
                static_cast<const T*>(nullptr), below.deltas, rows.begin, poll);
        const std::size_t n = m * below.values.width();
        for (std::size_t p = 0; p < below.deltas.count(); ++p) {
            if (below.mask.size() != 0) {
                const T* const mask = below.mask.at(p, rows.begin);
                T* const d = below.deltas.at(p, rows.begin);
                for (std::size_t k = 0; k < n; ++k) d[k] *= mask[k];
            }
            kernels_.multiply_derivative(
                below.packed.source.activation, below.values.at(p, rows.begin),
                below.deltas.at(p, rows.begin), whole_vectors(kernels_, n));
        }
    }
}

/// All that concerns rows of the batch that begins with order_[first], up to their deltas: some
/// rows after others, so that poll has its turns.
template <class T>
void Trainer<T>::pass(std::size_t first, Range rows, std::uint64_t dropout_seed, Poll poll) {
    // which make up for another look at all weights, and are whole vectors of narrow layers
    constexpr std::size_t fewest = 96;
    const std::size_t most = rows.end - rows.begin <= fewest
                                 ? fewest
                                 : std::max(fewest, Poll::unit / work_ / rows_unit_ * rows_unit_);
    Level& last = levels_.back();
    for (std::size_t begin = rows.begin; begin < rows.end; begin += most) {
        const Range part{begin, std::min(rows.end, begin + most)};
        fetch(first, part);
        if (!small_.empty()) {
            SmallLoss<T> loss = small_loss_;
            loss.samples = order_.data() + first + part.begin;
            loss.losses = losses_.data() + part.begin;
            kernels_.small_pass(small_.data(), small_.size(), part.begin, part.end - part.begin,
                                batch_.data(), loss);
        } else {
            forward(first, part, dropout_seed, poll);
            last_.finish(part.begin, part.end, last.values, &last.deltas, data_.targets,
                         order_.data() + first, losses_.data());
            backward(part, poll);
        }
        poll.done(2 * (part.end - part.begin) * work_);
    }
}

template const Panels<float>& Trainer<float>::inputs_of(std::size_t) const;
template const Panels<double>& Trainer<double>::inputs_of(std::size_t) const;
template void Trainer<float>::pass(std::size_t, Range, std::uint64_t, Poll);
template void Trainer<double>::pass(std::size_t, Range, std::uint64_t, Poll);

}  // namespace exactnet::dense
