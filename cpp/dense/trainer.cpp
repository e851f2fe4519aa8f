#include "trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <numeric>
#include <thread>
#include <utility>

namespace exactnet::dense {
namespace {

/// Multiply-adds of forward passes between two calls of `poll`: a fraction of a millisecond.
constexpr std::size_t turn_work = std::size_t{1} << 19;

/// Threads that are worth a trial, for batches of so many multiply-adds of a forward pass.
std::size_t threads_for(const Options& options, std::size_t work) {
    // A batch of less takes some microseconds, of which threads would spend as many on waiting for
    // each other and on fetching the weights that others have changed.
    constexpr std::size_t least = std::size_t{1} << 19;
    if (options.all_threads) return options.n_threads;
    if (options.n_threads == 1 || work < least) return 1;
    return std::min<std::size_t>(options.n_threads,
                                 std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace

template <class T>
Trainer<T>::Level::Level(const Layer<T>& layer, const Kernels<T>& kernels, std::size_t width,
                         std::size_t batch_size, Poll poll)
    : packed(layer, kernels, width, poll),
      values(batch_size, layer.outputs, width, kernels.width),
      deltas(batch_size, layer.outputs, width, kernels.width) {}

template <class T>
Trainer<T>::Trainer(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, Data<T> data,
                    Options options, Poll poll)
    : kernels_(kernels),
      data_(std::move(data)),
      samples_(*data_.samples),
      sparse_(samples_.sparse()),
      optimizer_(std::move(options.optimizer)),
      batch_size_(options.batch_size),
      last_(layers.back(), kernels, options.loss, options.batch_size, options.quantiles),
      order_(samples_.size()),
      losses_(options.batch_size),
      work_(work_of(layers)),
      team_(threads_for(options, batch_size_ * work_)),
      pace_(team_.size(), batch_size_ * work_, options.all_threads) {
    const std::size_t unit = kernels.width, batch_size = batch_size_;
    const Optimizer& optimizer = optimizer_;
    levels_.reserve(layers.size());
    for (const Layer<T>& layer : layers) {
        const bool sparse = sparse_ && levels_.empty();
        const bool wide = sparse || layer.activation.kind == ActivationKind::softmax;
        const std::size_t width = wide ? unit : panel_width(kernels, layer.outputs);
        Level& level = levels_.emplace_back(layer, kernels, width, batch_size, poll);
        rows_unit_ = std::max(rows_unit_, unit / 2 / std::min(width, unit / 2));
        if (levels_.size() > 1) {
            const std::size_t below = levels_[levels_.size() - 2].values.width();
            level.transposed = Panels<T>(layer.outputs, layer.inputs, below, unit);
        }
        const auto like_weights = [&] {
            return Panels<T>(layer.inputs, layer.outputs, width, unit);
        };
        if (optimizer.has_first()) {
            level.first = like_weights();
            level.bias_first = Buffer<T>(level.packed.biases.size());
        }
        if (optimizer.has_second()) {
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
            level.mask = Panels<T>(batch_size, layer.outputs, width, unit);
            level.dropped = Panels<T>(batch_size, layer.outputs, width, unit);
        }
        poll.done(batch_size * layer.outputs + layer.inputs * layer.outputs);
    }
    batch_norms_.resize(layers.size());
    if (sparse_) {
        rows_.resize(batch_size);
        row_values_ = Buffer<T>(batch_size * samples_.space());
    } else {
        const std::size_t inputs = layers.front().inputs;
        batch_ = Panels<T>(batch_size, inputs, panel_width(kernels, inputs));
    }
    std::iota(order_.begin(), order_.end(), 0U);
    constexpr std::size_t four = 4, most_rows = std::size_t{1} << 16;  // a step without turns
    const bool square = options.loss == Loss::quadratic || options.loss == Loss::mse;
    const auto is_small = [&](const Level& level) {
        return level.narrow(kernels_) && level.packed.weights.width() == four &&
               level.packed.source.inputs <= four && level.mask.size() == 0;
    };
    if (square && data_.targets.weights == nullptr && !optimizer.needs_gradients() &&
        batch_size <= most_rows && std::all_of(levels_.begin(), levels_.end(), is_small)) {
        const auto or_null = [](auto& buffer) { return buffer.size() ? buffer.data() : nullptr; };
        for (Level& level : levels_) {
            PackedLayer<T>& packed = level.packed;
            small_.push_back({packed.source.inputs, packed.source.outputs, packed.source.activation,
                              packed.weights.data(), packed.biases.data(), or_null(level.first),
                              or_null(level.bias_first), level.values.data(), level.deltas.data()});
        }
        const bool mse = options.loss == Loss::mse;
        const std::size_t outputs = layers.back().outputs;
        small_loss_.factor = mse ? T(2) / static_cast<T>(outputs) : T(1);
        small_loss_.scale = mse ? 1 / static_cast<double>(outputs) : 0.5;
        small_loss_.values = data_.targets.values;
        small_loss_.labels = data_.targets.labels;
    }
    for (Level& level : levels_) {
        const auto add = [&](Panels<T>& weights, Buffer<T>& biases) {
            if (weights.size() == 0) return;
            parameters_.emplace_back(weights.data(), weights.used());
            parameters_.emplace_back(biases.data(), biases.size());
        };
        add(level.packed.weights, level.packed.biases);
        add(level.first, level.bias_first);
        add(level.second, level.bias_second);
    }
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

/// The part of n rows that thread t does, from a multiple of `unit` on.
template <class T>
typename Trainer<T>::Range Trainer<T>::share(std::size_t n, std::size_t t, std::size_t unit) const {
    if (n_threads_ == 1) return {0, n};
    const std::size_t units = (n + unit - 1) / unit;
    return {units * t / n_threads_ * unit, std::min(n, units * (t + 1) / n_threads_ * unit)};
}

template <class T>
void Trainer<T>::transpose(Level& level, Range rows) {
    if (level.transposed.size() == 0) return;
    const Panels<T>& w = level.packed.weights;
    kernels_.transpose(rows.begin, rows.end, w.columns(), w.data(), w.width(), w.stride(),
                       level.transposed.data(), level.transposed.width(),
                       level.transposed.stride());
}

/// Copies all parameters aside.
template <class T>
void Trainer<T>::save(std::vector<Buffer<T>>& into, Poll poll) {
    for (std::size_t k = 0; k < parameters_.size(); ++k) {
        const std::span<const T> from = parameters_[k];
        if (k == into.size()) into.emplace_back(from.size());
        T* const to = into[k].data();
        for (std::size_t begin = 0; begin < from.size(); begin += Poll::unit) {
            const std::size_t count = std::min(Poll::unit, from.size() - begin);
            std::copy_n(from.data() + begin, count, to + begin);
            poll.done(count);
        }
    }
}

/// Copies all parameters back.
template <class T>
void Trainer<T>::restore(const std::vector<Buffer<T>>& from) {
    for (std::size_t k = 0; k < parameters_.size(); ++k) {
        std::copy_n(from[k].data(), parameters_[k].size(), parameters_[k].data());
    }
    for (Level& level : levels_) transpose(level, {0, level.packed.weights.rows()});
}

template <class T>
bool Trainer<T>::finite_parameters() const noexcept {
    if (std::all_of(parameters_.begin(), parameters_.end(), [](std::span<const T> numbers) {
            return all_finite(numbers.data(), numbers.size());
        })) {
        return true;
    }
    // the padding, which reaches no output, may hold anything
    const auto finite = [](const Panels<T>& matrix, const Buffer<T>& biases, std::size_t outputs) {
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
    std::size_t begin = 0, end = 0;  // of the samples for which the number of threads stays
    const auto wait = [&](const auto& idle) {
        if (n_threads_ > 1) team_.barrier(idle);
    };
    const auto work = [&](std::size_t t) {
        Step<T> mine = step;
        double sum = result;
        const auto turn = [&] {
            if (t == 0) try_poll(0);
            if (cancelled.load(std::memory_order_relaxed)) throw Cancelled{};
        };
        const Poll::Call call = std::ref(turn);  // by reference: nothing to allocate
        const auto idle = [&] {
            if (t == 0) try_poll(0);
        };
        for (std::size_t first = begin; first < end; first += batch_size_) {
            const std::size_t m = std::min(batch_size_, order_.size() - first);
            const Range rows = share(m, t, rows_unit_);
            attempt(pass_left, [&] { pass(first, rows, dropout_seed, Poll(call)); });
            wait(idle);
            if (pass_left) break;  // in all threads
            for (std::size_t r = 0; r < m; ++r) sum += losses_[r];
            if (!std::isfinite(sum)) break;  // in all threads
            if (optimizer_.needs_gradients()) {
                attempt(step_left, [&] { accumulate(m, T(1) / static_cast<T>(m), t, Poll(call)); });
                wait(idle);
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
                wait([] {});
                apply(rate, factor, t);
            } else {
                if (undo && first != 0) {
                    if (t == 0) save(batch_start_);
                    wait([] {});
                }
                mine.scale = static_cast<T>(-rate / static_cast<double>(m));
                attempt(step_left, [&] { update(m, mine, t, undo ? Poll(call) : Poll()); });
            }
            if (t == 0) {
                ++turn_batches_;
                turn_work_ += m * work_;
                if (turn_work_ >= turn_work) {
                    try_poll(std::exchange(turn_batches_, 0));
                    turn_work_ = 0;
                }
                stop = error != nullptr;
            }
            wait(idle);
            if (t == 0) pace_.done();
            if (step_left) {
                if (t == 0) restore(first != 0 ? batch_start_ : epoch_start_);
                break;
            }
            if (stop) break;
        }
        if (t == 0) result = sum;
    };
    const std::size_t n = order_.size();
    const auto ended = [&] { return error || pass_left || step_left || !std::isfinite(result); };
    for (; begin < n && !ended(); begin = end) {
        n_threads_ = pace_.threads();
        const std::size_t batches = pace_.batches();
        end = batches < (n - begin) / batch_size_ ? begin + batches * batch_size_ : n;
        if (n_threads_ == 1) {
            work(0);
        } else {
            team_.run(std::ref(work));  // by reference: nothing to allocate
        }
    }
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
    auto start = Clock::now();
    std::size_t timed = 0, untimed_work = 0;
    // a look at the clock would take a good part of a short epoch
    const auto time = [&](std::size_t end) {
        const auto now = Clock::now();
        const double total = std::chrono::duration<double>(now - start).count();
        for (std::size_t e = timed; e < end; ++e) {
            schedule.seconds[e] = total / static_cast<double>(end - timed);
        }
        start = now;
        timed = end;
        untimed_work = 0;
    };
    turn_batches_ = turn_work_ = 0;
    for (std::size_t e = 0; e < schedule.rates.size(); ++e) {
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
            time(e);
            if (!finite_parameters()) undo();
            throw;
        }
        if (!std::isfinite(loss) || !finite_parameters()) {
            time(e);
            undo();
            return e;
        }
        ++epochs_;
        untimed_work += order_.size() * work_;
        const bool end = e + 1 == schedule.rates.size() || loss < schedule.until;
        if (end || untimed_work >= turn_work) time(e + 1);
        if (end) return e + 1;
    }
    return 0;
}

template <class T>
double Trainer<T>::gradients(std::vector<Layer<T>>& gradients, Poll poll) {
    read(poll);
    const std::size_t m = order_.size();
    pass(0, {0, m}, 0, poll);
    accumulate(m, T(1) / static_cast<T>(m), 0, poll);
    for (std::size_t l = 0; l < levels_.size(); ++l) {
        Level& level = levels_[l];
        level.gradients.write_transposed(gradients[l].weights);
        std::copy_n(level.bias_gradients.data(), gradients[l].outputs, gradients[l].biases);
    }
    return std::accumulate(losses_.begin(), losses_.begin() + static_cast<std::ptrdiff_t>(m), 0.0) /
           static_cast<double>(m);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace exactnet::dense
