#include "trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <exception>
#include <limits>
#include <numeric>
#include <utility>

#include "elementary.hpp"

namespace exactnet::dense {

template <class T>
Trainer<T>::Level::Level(const Layer<T>& layer, const Kernels<T>& kernels, std::size_t batch_size,
                         Poll poll)
    : packed(layer, kernels, poll),
      values(batch_size, layer.outputs, kernels.width),
      deltas(batch_size, layer.outputs, kernels.width) {}

template <class T>
Trainer<T>::Trainer(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, Data<T> data,
                    Options options, Poll poll)
    : kernels_(kernels),
      data_(std::move(data)),
      samples_(*data_.samples),
      sparse_(samples_.sparse()),
      optimizer_(std::move(options.optimizer)),
      batch_size_(options.batch_size),
      last_(layers.back(), kernels, options.loss, options.batch_size),
      order_(samples_.size()),
      losses_(options.batch_size),
      work_(work_of(layers)),
      team_(options.n_threads) {
    const std::size_t width = kernels.width, batch_size = batch_size_;
    const Optimizer& optimizer = optimizer_;
    levels_.reserve(layers.size());
    for (const Layer<T>& layer : layers) {
        Level& level = levels_.emplace_back(layer, kernels, batch_size, poll);
        if (levels_.size() > 1) {
            level.transposed = Panels<T>(layer.outputs, layer.inputs, width);
        }
        const auto like_weights = [&] { return Panels<T>(layer.inputs, layer.outputs, width); };
        const bool adam = optimizer.kind == Optimizer::Kind::adam;
        if (adam || optimizer.momentum != 0) {
            level.first = like_weights();
            level.bias_first = Buffer<T>(level.packed.biases.size());
        }
        if (adam) {
            level.second = like_weights();
            level.bias_second = Buffer<T>(level.packed.biases.size());
        }
        if (optimizer.needs_gradients()) {
            level.gradients = like_weights();
            level.bias_gradients = Buffer<T>(level.packed.biases.size());
        } else if (sparse_ && levels_.size() == 1 && optimizer.momentum != 0) {
            level.sums = like_weights();
        }
        const std::size_t l = levels_.size() - 1;
        if (l < optimizer.dropout.size() && optimizer.dropout[l] != 0) {
            level.mask = Panels<T>(batch_size, layer.outputs, width);
            level.dropped = Panels<T>(batch_size, layer.outputs, width);
        }
        poll.done(batch_size * layer.outputs + layer.inputs * layer.outputs);
    }
    batch_norms_.resize(layers.size());
    if (sparse_) {
        rows_.resize(batch_size);
    } else {
        batch_ = Panels<T>(batch_size, layers.front().inputs, width);
    }
    std::iota(order_.begin(), order_.end(), 0U);
    save(epoch_start_, poll);
}

template <class T>
void Trainer<T>::read(Poll poll) {
    for (Level& level : levels_) {
        level.packed.read(poll);
        transpose(level, {0, level.packed.weights.rows()});
    }
}

template <class T>
void Trainer<T>::write() {
    for (Level& level : levels_) level.packed.write();
}

template <class T>
void Trainer<T>::write_state(std::size_t l, bool second, T* weights, T* biases) {
    Level& level = levels_[l];
    (second ? level.second : level.first).write_transposed(weights);
    const Buffer<T>& from = second ? level.bias_second : level.bias_first;
    std::copy_n(from.data(), level.packed.source.outputs, biases);
}

template <class T>
void Trainer<T>::read_state(std::size_t l, bool second, const T* weights, const T* biases) {
    Level& level = levels_[l];
    (second ? level.second : level.first).read_transposed(weights);
    Buffer<T>& into = second ? level.bias_second : level.bias_first;
    std::copy_n(biases, level.packed.source.outputs, into.data());
}

/// The part of n units of work that thread t does.
template <class T>
typename Trainer<T>::Range Trainer<T>::share(std::size_t n, std::size_t t) const {
    return {n * t / team_.size(), n * (t + 1) / team_.size()};
}

template <class T>
void Trainer<T>::transpose(Level& level, Range rows) {
    if (level.transposed.size() == 0) return;
    kernels_.transpose(rows.begin, rows.end, level.packed.weights.data(),
                       level.packed.weights.stride(), level.packed.weights.count(),
                       level.transposed.data(), level.transposed.stride());
}

/// Of rows of the batch that begins with order_[first]: pre-activations of the last layer.
template <class T>
void Trainer<T>::forward(std::size_t first, Range rows, std::uint64_t dropout_seed, Poll& poll) {
    const std::size_t m = rows.end - rows.begin;
    for (std::size_t r = rows.begin; r < rows.end; ++r) {
        const std::uint32_t sample = order_[first + r];
        if (sparse_) {
            rows_[r] = samples_.row(sample);
        } else {
            samples_.copy(sample, batch_, r);
        }
        const std::size_t next = first + r + batch_size_;
        if (next < order_.size()) samples_.prefetch(order_[next]);
    }
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
        for (std::size_t p = 0; p < level.values.count(); ++p) {
            kernels_.activate(packed.source.activation, level.values.at(p, rows.begin),
                              m * kernels_.width);
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
    const std::size_t width = kernels_.width, n = level.packed.source.outputs;
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
        for (std::size_t p = 0; p < below.deltas.count(); ++p) {
            if (below.mask.size() != 0) {
                const T* const mask = below.mask.at(p, rows.begin);
                T* const d = below.deltas.at(p, rows.begin);
                for (std::size_t k = 0; k < m * kernels_.width; ++k) d[k] *= mask[k];
            }
            kernels_.multiply_derivative(below.packed.source.activation,
                                         below.values.at(p, rows.begin),
                                         below.deltas.at(p, rows.begin), m * kernels_.width);
        }
    }
}

/// All that concerns rows of the batch that begins with order_[first], up to their deltas: some
/// rows after others, so that poll has its turns.
template <class T>
void Trainer<T>::pass(std::size_t first, Range rows, std::uint64_t dropout_seed, Poll poll) {
    constexpr std::size_t fewest = 96;  // which make up for another look at all weights
    const std::size_t most =
        rows.end - rows.begin <= fewest ? fewest : std::max(fewest, Poll::unit / work_);
    Level& last = levels_.back();
    for (std::size_t begin = rows.begin; begin < rows.end; begin += most) {
        const Range part{begin, std::min(rows.end, begin + most)};
        forward(first, part, dropout_seed, poll);
        last_.finish(part.begin, part.end, last.values, &last.deltas, data_.targets,
                     order_.data() + first, losses_.data());
        backward(part, poll);
        poll.done(2 * (part.end - part.begin) * work_);
    }
}

/// The rows of the weights of layer l on which thread t works.
template <class T>
typename Trainer<T>::Range Trainer<T>::rows_of(std::size_t l, std::size_t t) const {
    const std::size_t rows = levels_[l].packed.weights.rows();
    const std::size_t unit = l == 0 && sparse_ ? sparse_block : kernels_.width;
    const Range units = share((rows + unit - 1) / unit, t);
    return {units.begin * unit, std::min(units.end * unit, rows)};
}

/// Applies a step with the gradient of m samples to `rows` of layer l's weights, or of what has
/// their layout.
template <class T>
void Trainer<T>::step_rows(std::size_t l, std::size_t m, Range rows,
                           const Parameters<T>& parameters, Step<T> step, Poll& poll) {
    const Panels<T>& d = levels_[l].deltas;
    const std::size_t width = kernels_.width;
    const bool sparse = l == 0 && sparse_;
    const std::size_t work = m * width;  // of a row in a panel
    if (work * (rows.end - rows.begin) * parameters.n_panels < Poll::unit) {
        // all at once
        if (sparse) {
            kernels_.sparse_update(m, levels_[l].packed.weights.rows(), rows.begin / sparse_block,
                                   (rows.end + sparse_block - 1) / sparse_block, rows_.data(),
                                   d.data(), d.stride(), parameters, step);
        } else {
            kernels_.update(m, rows.begin, rows.end, inputs_of(l).view(), d.data(), d.stride(),
                            parameters, step);
        }
        return;
    }
    constexpr std::size_t panels = 2;  // at a time, as the sparse kernel takes them
    const std::size_t most = sparse ? sparse_block : width;
    for (std::size_t p = 0; p < parameters.n_panels; p += panels) {
        const auto at = [&](T* data) {
            return data != nullptr ? data + p * parameters.panel_stride : nullptr;
        };
        const Parameters<T> part{at(parameters.weights), at(parameters.velocity),
                                 at(parameters.sums), parameters.panel_stride,
                                 std::min(panels, parameters.n_panels - p)};
        for (std::size_t k = rows.begin; k < rows.end; k += most) {
            const std::size_t end = std::min(rows.end, k + most);
            const T* const deltas = d.data() + p * d.stride();
            if (sparse) {
                kernels_.sparse_update(m, levels_[l].packed.weights.rows(), k / sparse_block,
                                       k / sparse_block + 1, rows_.data(), deltas, d.stride(), part,
                                       step);
            } else {
                kernels_.update(m, k, end, inputs_of(l).view(), deltas, d.stride(), part, step);
            }
            poll.done(work * (end - k) * part.n_panels);
        }
    }
}

/// The share of thread t in the step of a batch of m samples.
template <class T>
void Trainer<T>::update(std::size_t m, Step<T> step, std::size_t t, Poll poll) {
    static constexpr T one[1] = {1};
    const auto or_null = [](auto& buffer) { return buffer.size() != 0 ? buffer.data() : nullptr; };
    for (std::size_t l = levels_.size(); l-- > 0;) {
        Level& level = levels_[l];
        Panels<T>& w = level.packed.weights;
        const Parameters<T> weights{w.data(), or_null(level.first), or_null(level.sums), w.stride(),
                                    w.count()};
        const Panels<T>& d = level.deltas;
        const Range rows = rows_of(l, t);
        step_rows(l, m, rows, weights, step, poll);
        transpose(level, rows);
        if (t == 0) {
            const Parameters<T> biases{level.packed.biases.data(), or_null(level.bias_first),
                                       nullptr, kernels_.width, w.count()};
            kernels_.update(m, 0, 1, {one, 0, 0}, d.data(), d.stride(), biases, step);
        }
    }
}

/// The share of thread t in the gradients of a batch, `scale` times the sum over its m samples and
/// the derivative of the penalty.
template <class T>
void Trainer<T>::accumulate(std::size_t m, T scale, std::size_t t, Poll poll) {
    static constexpr T one[1] = {1};
    Step<T> gradient;
    gradient.kind = Step<T>::Kind::gradient;
    gradient.scale = scale;
    const std::size_t width = kernels_.width;
    for (std::size_t l = levels_.size(); l-- > 0;) {
        Level& level = levels_[l];
        Panels<T>&g = level.gradients, &w = level.packed.weights;
        const Panels<T>& d = level.deltas;
        const Parameters<T> into{g.data(), nullptr, nullptr, g.stride(), g.count()};
        const Range rows = rows_of(l, t);
        if (l == 0 && sparse_) {
            for (std::size_t p = 0; p < g.count(); ++p) {  // the kernel adds to what is there
                std::fill(g.at(p, rows.begin), g.at(p, rows.end), T(0));
            }
        }
        step_rows(l, m, rows, into, gradient, poll);
        if (optimizer_.alpha != 0) {
            for (std::size_t p = 0; p < g.count(); ++p) {
                kernels_.penalize((rows.end - rows.begin) * width, w.at(p, rows.begin),
                                  g.at(p, rows.begin), optimizer_.alpha, optimizer_.p);
            }
        }
        if (t == 0) {
            const Parameters<T> biases{level.bias_gradients.data(), nullptr, nullptr, width,
                                       w.count()};
            kernels_.update(m, 0, 1, {one, 0, 0}, d.data(), d.stride(), biases, gradient);
        }
    }
}

/// Of the gradient of layer l's weights.
template <class T>
double Trainer<T>::norm(std::size_t l) const {
    const Panels<T>& g = levels_[l].gradients;
    double sum = 0;
    // in an order that does not depend on the width of panels
    for (std::size_t r = 0; r < g.rows(); ++r) {
        for (std::size_t p = 0; p < g.count(); ++p) {
            const T* const row = g.data() + p * g.stride() + r * g.width();
            for (std::size_t c = 0; c < g.width(); ++c) {
                sum += static_cast<double>(row[c]) * static_cast<double>(row[c]);
            }
        }
    }
    return std::sqrt(sum);
}

/// The share of thread t in the step on the gradients times `factor`.
template <class T>
void Trainer<T>::apply(double rate, T factor, std::size_t t) {
    using Kind = typename Rule<T>::Kind;
    Rule<T> rule;
    rule.rate = static_cast<T>(rate);
    rule.factor = factor;
    if (optimizer_.kind == Optimizer::Kind::adam) {
        const auto correction = [&](double beta) {
            return static_cast<T>(1 / (1 - power(beta, steps_)));
        };
        rule.kind = Kind::adam;
        rule.beta1 = static_cast<T>(optimizer_.beta1);
        rule.beta2 = static_cast<T>(optimizer_.beta2);
        rule.epsilon = static_cast<T>(optimizer_.epsilon);
        rule.correction1 = correction(optimizer_.beta1);
        rule.correction2 = correction(optimizer_.beta2);
    } else {
        rule.kind = optimizer_.nesterov ? Kind::nesterov : Kind::momentum;
        rule.momentum = static_cast<T>(optimizer_.momentum);
    }
    const std::size_t width = kernels_.width;
    const auto at = [](auto& buffer, std::size_t offset) {
        return buffer.size() != 0 ? buffer.data() + offset : nullptr;
    };
    for (Level& level : levels_) {
        Panels<T>& w = level.packed.weights;
        const Range squares = share((w.rows() + width - 1) / width, t);
        const std::size_t n = (squares.end - squares.begin) * width * width;
        for (std::size_t p = 0; p < w.count(); ++p) {
            const std::size_t offset = p * w.stride() + squares.begin * width * width;
            kernels_.optimize(n, level.gradients.data() + offset, w.data() + offset,
                              at(level.first, offset), at(level.second, offset), rule);
        }
        transpose(level, {squares.begin * width, squares.end * width});
        if (t == 0) {
            kernels_.optimize(level.packed.biases.size(), level.bias_gradients.data(),
                              level.packed.biases.data(), at(level.bias_first, 0),
                              at(level.bias_second, 0), rule);
        }
    }
}

/// Calls function(data, size) for all weights, biases and state of the optimiser.
template <class T>
template <class Function>
void Trainer<T>::each_parameter(const Function& function) {
    const auto each = [&](auto& values) {
        if (values.size() != 0) function(values.data(), values.size());
    };
    for (Level& level : levels_) {
        each(level.packed.weights);
        each(level.packed.biases);
        each(level.first);
        each(level.bias_first);
        each(level.second);
        each(level.bias_second);
    }
}

/// Copies all parameters aside.
template <class T>
void Trainer<T>::save(std::vector<Buffer<T>>& into, Poll poll) {
    std::size_t next = 0;
    each_parameter([&](const T* data, std::size_t size) {
        if (next == into.size()) into.emplace_back(size);
        T* const to = into[next++].data();
        for (std::size_t begin = 0; begin < size; begin += Poll::unit) {
            const std::size_t count = std::min(Poll::unit, size - begin);
            std::copy_n(data + begin, count, to + begin);
            poll.done(count);
        }
    });
}

/// Copies all parameters back.
template <class T>
void Trainer<T>::restore(const std::vector<Buffer<T>>& from) {
    std::size_t next = 0;
    each_parameter(
        [&](T* data, std::size_t size) { std::copy_n(from[next++].data(), size, data); });
    for (Level& level : levels_) transpose(level, {0, level.packed.weights.rows()});
}

template <class T>
bool Trainer<T>::finite_parameters() const noexcept {
    const auto finite = [](const Panels<T>& matrix, const Buffer<T>& biases, std::size_t outputs) {
        if (all_finite(matrix.data(), matrix.size()) && all_finite(biases.data(), biases.size())) {
            return true;
        }
        // the padding, which reaches no output, may hold anything
        for (std::size_t p = 0; p < matrix.count(); ++p) {
            const std::size_t n = std::min(matrix.width(), outputs - p * matrix.width());
            for (std::size_t r = 0; r < matrix.rows(); ++r) {
                if (!all_finite(matrix.view(r).data + p * matrix.stride(), n)) return false;
            }
        }
        return all_finite(biases.data(), std::min(outputs, biases.size()));
    };
    return std::all_of(levels_.begin(), levels_.end(), [&](const Level& level) {
        const std::size_t outputs = level.packed.source.outputs;
        return finite(level.packed.weights, level.packed.biases, outputs) &&
               finite(level.first, level.bias_first, outputs) &&
               finite(level.second, level.bias_second, outputs);
    });
}

/// Returns the sum of the losses of all samples. Ends early when that is not finite.
template <class T>
double Trainer<T>::epoch(double rate, std::uint64_t dropout_seed, std::span<double> norms,
                         const std::function<void(std::size_t)>& poll) {
    using Kind = typename Step<T>::Kind;
    Step<T> step;
    step.kind = optimizer_.momentum == 0 ? Kind::sgd
                : optimizer_.nesterov    ? Kind::nesterov
                                         : Kind::momentum;
    step.momentum = static_cast<T>(optimizer_.momentum);
    double result = 0;
    // written by the first thread, read by all after a barrier
    bool stop = false;
    T factor = 1;
    std::exception_ptr error;
    // What poll throws in the first thread asks the others to leave. Whether one did, all must hear
    // alike: they look behind the barrier that follows, before anyone can leave the next part.
    std::atomic<bool> cancelled{false}, pass_left{false}, step_left{false};
    const auto try_poll = [&](std::size_t n_batches) noexcept {
        if (error) return;
        try {
            poll(n_batches);
        } catch (...) {
            error = std::current_exception();
            cancelled = true;
        }
    };
    const auto attempt = [](std::atomic<bool>& left, const auto& part) noexcept {
        try {
            part();
        } catch (const Cancelled&) {
            left = true;
        }
    };
    // Steps on large batches can be cancelled, and undone. It takes a copy of all parameters, which
    // goes unnoticed beside so many rows.
    constexpr std::size_t fewest_rows = 128, least_work = std::size_t{1} << 28;
    const bool undo = batch_size_ >= fewest_rows && batch_size_ * work_ >= least_work &&
                      !optimizer_.needs_gradients();
    // Within a batch every thread first does all that concerns its samples, then all that concerns
    // its weights: two barriers, whatever the depth; two more where gradients are needed as a
    // whole.
    const auto work = [&](std::size_t t) {
        Step<T> mine = step;
        double sum = 0;
        const auto turn = [&] {
            if (t == 0) try_poll(0);
            if (cancelled.load(std::memory_order_relaxed)) throw Cancelled{};
        };
        const Poll::Call call = std::ref(turn);  // by reference: nothing to allocate
        const auto idle = [&] {
            if (t == 0) try_poll(0);
        };
        for (std::size_t first = 0; first < order_.size(); first += batch_size_) {
            const std::size_t m = std::min(batch_size_, order_.size() - first);
            const Range rows = share(m, t);
            attempt(pass_left, [&] { pass(first, rows, dropout_seed, Poll(call)); });
            team_.barrier(idle);
            if (pass_left) break;  // in all threads
            for (std::size_t r = 0; r < m; ++r) sum += losses_[r];
            if (!std::isfinite(sum)) break;  // in all threads
            if (optimizer_.needs_gradients()) {
                attempt(step_left, [&] { accumulate(m, T(1) / static_cast<T>(m), t, Poll(call)); });
                team_.barrier(idle);
                if (step_left) break;
                if (t == 0) {
                    ++steps_;
                    if (optimizer_.clip_norm != 0 || optimizer_.record_norms) {
                        double square = 0;
                        for (std::size_t l = 0; l < levels_.size(); ++l) {
                            batch_norms_[l] = norm(l);
                            square += batch_norms_[l] * batch_norms_[l];
                            if (!norms.empty()) norms[l] += batch_norms_[l];
                            const Buffer<T>& b = levels_[l].bias_gradients;
                            for (std::size_t k = 0; k < b.size(); ++k) {
                                square += static_cast<double>(b.data()[k]) *
                                          static_cast<double>(b.data()[k]);
                            }
                        }
                        const double total = std::sqrt(square), most = optimizer_.clip_norm;
                        factor = most != 0 && total > most ? static_cast<T>(most / total) : T(1);
                    }
                }
                team_.barrier();
                apply(rate, factor, t);
            } else {
                if (undo && first != 0) {
                    if (t == 0) save(batch_start_);
                    team_.barrier();
                }
                mine.scale = static_cast<T>(-rate / static_cast<double>(m));
                attempt(step_left, [&] { update(m, mine, t, undo ? Poll(call) : Poll()); });
            }
            if (t == 0) {
                try_poll(1);
                stop = error != nullptr;
            }
            team_.barrier(idle);
            if (step_left) {
                if (t == 0) restore(first != 0 ? batch_start_ : epoch_start_);
                break;
            }
            if (stop) break;
        }
        if (t == 0) result = sum;
    };
    team_.run(std::ref(work));  // by reference: nothing to allocate
    if (error) std::rethrow_exception(error);
    for (double& value : norms) value /= static_cast<double>(n_batches());
    return result;
}

template <class T>
std::size_t Trainer<T>::run(const Schedule& schedule, bool shuffle, Generator& random,
                            const std::function<void(std::size_t)>& poll) {
    using Clock = std::chrono::steady_clock;
    const bool dropout = std::any_of(levels_.begin(), levels_.end(),
                                     [](const Level& level) { return level.mask.size() != 0; });
    for (std::size_t e = 0; e < schedule.rates.size(); ++e) {
        const auto start = Clock::now();
        const std::uint64_t steps_before = steps_;
        const Generator random_before = random;
        const auto undo = [&] {
            restore(epoch_start_);
            steps_ = steps_before;
            random = random_before;
        };
        const auto turn = [&] { poll(0); };
        const Poll::Call call = std::ref(turn);
        save(epoch_start_, Poll(call));
        if (shuffle) {
            std::iota(order_.begin(), order_.end(), 0U);
            for (std::size_t i = order_.size(); i > 1; --i) {
                std::swap(order_[i - 1], order_[random.below(static_cast<std::uint32_t>(i))]);
            }
        }
        const std::uint64_t seed = dropout ? random.next() : 0;
        std::span<double> norms;
        if (optimizer_.record_norms && !schedule.norms.empty()) {
            norms = schedule.norms.subspan(e * levels_.size(), levels_.size());
        }
        double& loss = schedule.losses[e];
        try {
            loss = epoch(schedule.rates[e], seed, norms, poll) / static_cast<double>(order_.size());
        } catch (...) {
            if (!finite_parameters()) undo();
            throw;
        }
        if (!std::isfinite(loss) || !finite_parameters()) {
            undo();
            return e;
        }
        ++epochs_;
        schedule.seconds[e] = std::chrono::duration<double>(Clock::now() - start).count();
        if (loss < schedule.until) return e + 1;
    }
    return schedule.rates.size();
}

template <class T>
void Trainer<T>::gradients(std::vector<Layer<T>>& gradients, Poll poll) {
    read(poll);
    const std::size_t m = order_.size();
    pass(0, {0, m}, 0, poll);
    accumulate(m, T(1) / static_cast<T>(m), 0, poll);
    for (std::size_t l = 0; l < levels_.size(); ++l) {
        Level& level = levels_[l];
        level.gradients.write_transposed(gradients[l].weights);
        std::copy_n(level.bias_gradients.data(), gradients[l].outputs, gradients[l].biases);
    }
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace exactnet::dense
