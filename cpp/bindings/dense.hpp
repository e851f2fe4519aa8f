// What the bindings of the float half have in common: arrays of NumPy as the core reads them.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dense/kernels.hpp"
#include "dense/loss.hpp"
#include "dense/network.hpp"
#include "dense/poll.hpp"
#include "dense/samples.hpp"
#include "dense/trainer.hpp"
#include "monitor.hpp"

namespace exactnet::bindings {

template <class T>
using Array = py::array_t<T, py::array::c_style>;

inline void require(bool condition, const char* what) {
    if (!condition) throw std::invalid_argument(what);
}

/// Whether the core may read the memory as it stands: arrays over foreign buffers may begin at any
/// byte.
template <class T>
bool aligned(const Array<T>& array) {
    return reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) == 0;
}

/// Multiply-adds above which a call releases the GIL and answers Ctrl-C; for shorter ones, some
/// tenths of a millisecond at most, that costs more than it is worth.
inline constexpr std::size_t long_call = std::size_t{1} << 18;

/// Calls body(poll) without the GIL. The monitor lives in this thread.
template <class Body>
auto without_gil(const py::object& progress, const Body& body) {
    base::Monitor monitor = make_monitor(progress);
    const dense::Poll::Call call = [&] { monitor.step(0); };
    const py::gil_scoped_release release;
    return body(dense::Poll(call));
}

inline std::size_t rows_of(const py::array& array) {
    return static_cast<std::size_t>(array.shape(0));
}

dense::ActivationKind to_kind(const std::string& name);
dense::Loss to_loss(const std::string& name);

/// X, which it keeps alive, and its packed form, which trainers share.
template <class T>
class DenseSamples {
   public:
    explicit DenseSamples(Array<T> x) : x_(std::move(x)) {
        require(x_.ndim() == 2 && x_.size() > 0, "X must be a matrix");
        require(aligned(x_), "X must be aligned");
        matrix_ = {x_.data(), rows_of(x_), static_cast<std::size_t>(x_.shape(1))};
    }

    explicit DenseSamples(Array<std::uint8_t> x) : bytes_(std::move(x)) {
        require(bytes_.ndim() == 2 && bytes_.size() > 0, "X must be a matrix");
        matrix_.n = rows_of(bytes_);
        matrix_.inputs = static_cast<std::size_t>(bytes_.shape(1));
        matrix_.bytes = bytes_.data();
    }

    /// In compressed sparse rows, into which nobody may write any more.
    DenseSamples(Array<T> values, Array<std::int64_t> starts, Array<std::int32_t> columns,
                 std::size_t inputs)
        : x_(std::move(values)), starts_(std::move(starts)), columns_(std::move(columns)) {
        require(x_.ndim() == 1 && starts_.ndim() == 1 && columns_.ndim() == 1 &&
                    starts_.size() > 1 && columns_.size() == x_.size() && inputs > 0,
                "X must be a matrix");
        require(aligned(x_) && aligned(starts_) && aligned(columns_), "X must be aligned");
        const std::size_t n = rows_of(starts_) - 1;
        matrix_ = {x_.data(), n, inputs, starts_.data(), columns_.data()};
        bool sound = matrix_.starts[0] == 0 && matrix_.starts[n] == x_.size();
        for (std::size_t r = 0; r < n; ++r) sound &= matrix_.starts[r] <= matrix_.starts[r + 1];
        require(sound, "rows of X begin outside of it");
        for (std::size_t r = 0; r < n; ++r) {
            std::size_t next = 0;  // the first column that may follow
            matrix_.each(r, [&](std::size_t column, T) {
                sound &= next <= column && column < inputs;
                next = column + 1;
            });
        }
        require(sound, "columns of X must ascend in every row, and be inputs");
    }

    const dense::Matrix<T>& matrix() const { return matrix_; }
    std::size_t size() const { return matrix_.n; }
    std::size_t inputs() const { return matrix_.inputs; }

    /// Packs at the first call, which must be made without the GIL: others may wait for it. The
    /// handler of a signal, which `poll` may call, may be another call of the same thread.
    std::shared_ptr<const dense::Samples<T>> packed(dense::Poll poll) {
        const std::lock_guard lock(mutex_);
        if (packed_ == nullptr) {
            auto made = std::make_shared<const dense::Samples<T>>(matrix_, poll);
            ++packings_;
            if (packed_ == nullptr) packed_ = std::move(made);
        }
        return packed_;
    }
    /// How often that was done.
    int packings() const { return packings_; }

   private:
    Array<T> x_;
    Array<std::uint8_t> bytes_;
    Array<std::int64_t> starts_;
    Array<std::int32_t> columns_;
    dense::Matrix<T> matrix_;
    std::recursive_mutex mutex_;
    std::shared_ptr<const dense::Samples<T>> packed_;
    std::atomic<int> packings_{0};
};

/// Samples and targets, kept alive: values (samples, outputs), or a label per sample, which the
/// caller has checked.
template <class T>
class DenseData {
   public:
    DenseData(std::shared_ptr<DenseSamples<T>> samples, py::object values, py::object labels)
        : samples_(std::move(samples)), values_(std::move(values)), labels_(std::move(labels)) {
        const std::size_t n = samples_->size();
        if (!labels_.is_none()) {
            targets_.labels = to_labels(labels_, n).data();
            return;
        }
        require(py::isinstance<Array<T>>(values_), "y must have the type of X");
        const auto array = py::reinterpret_borrow<Array<T>>(values_);
        require(array.ndim() == 2 && rows_of(array) == n, "y does not fit X");
        require(aligned(array), "y must be aligned");
        targets_.values = array.data();
        outputs_ = static_cast<std::size_t>(array.shape(1));
    }

    DenseSamples<T>& samples() const { return *samples_; }
    const dense::Targets<T>& targets() const { return targets_; }

    /// The same with factors of the samples' losses, which the caller keeps alive, or None.
    dense::Targets<T> weighted(const py::object& weights) const {
        dense::Targets<T> targets = targets_;
        if (weights.is_none()) return targets;
        require(py::isinstance<Array<T>>(weights), "weights must have the network's type");
        const auto array = py::reinterpret_borrow<Array<T>>(weights);
        require(array.ndim() == 1 && rows_of(array) == samples_->size(), "weights do not fit X");
        require(aligned(array), "weights must be aligned");
        targets.weights = array.data();
        return targets;
    }

    bool fits(std::size_t inputs, std::size_t outputs) const {
        return samples_->inputs() == inputs && (targets_.labels != nullptr || outputs_ == outputs);
    }

    /// Exactly this type: a conversion would die with the call.
    static Array<std::int64_t> to_labels(const py::object& labels, std::size_t n) {
        require(py::isinstance<Array<std::int64_t>>(labels), "labels must be int64");
        const auto array = py::reinterpret_borrow<Array<std::int64_t>>(labels);
        require(array.ndim() == 1 && rows_of(array) == n, "labels do not fit X");
        require(aligned(array), "labels must be aligned");
        return array;
    }

   private:
    std::shared_ptr<DenseSamples<T>> samples_;
    py::object values_, labels_;
    std::size_t outputs_ = 0;
    dense::Targets<T> targets_;
};

/// Layers that borrow the memory of NumPy arrays, which it keeps alive: what is written into the
/// arrays takes effect at the next call.
template <class T>
class DenseNetwork {
   public:
    DenseNetwork(std::vector<Array<T>> weights, std::vector<Array<T>> biases,
                 const std::vector<std::tuple<std::string, double, double>>& activations,
                 const std::string& isa)
        : weights_(std::move(weights)),
          biases_(std::move(biases)),
          kernels_(&dense::kernels<T>(isa)) {
        const std::size_t n = weights_.size();
        require(n > 0 && biases_.size() == n && activations.size() == n, "one entry per layer");
        for (std::size_t l = 0; l < n; ++l) {
            Array<T>&w = weights_[l], &b = biases_[l];
            require(w.ndim() == 2 && b.ndim() == 1 && b.shape(0) == w.shape(0) && w.size() > 0 &&
                        (l == 0 || w.shape(1) == weights_[l - 1].shape(0)),
                    "layers do not fit each other");
            require(aligned(w) && aligned(b), "weights and biases must be aligned");
            const auto& [name, slope, threshold] = activations[l];
            layers_.push_back({static_cast<std::size_t>(w.shape(1)),
                               rows_of(w),
                               {to_kind(name), slope, threshold},
                               w.mutable_data(),
                               b.mutable_data()});
        }
    }

    const std::vector<dense::Layer<T>>& layers() const { return layers_; }
    const dense::Kernels<T>& kernels() const { return *kernels_; }
    std::string isa() const { return kernels_->name; }

    /// None if x is not, as it stands, an array of finite samples of this network, or such Samples.
    py::object predict(const py::object& x, const py::object& progress,
                       std::size_t n_threads) const {
        dense::Matrix<T> matrix;
        if (py::isinstance<Array<T>>(x)) {
            const auto array = py::reinterpret_borrow<Array<T>>(x);
            if (!fits(array) || !aligned(array)) return py::none();
            matrix = {array.data(), rows_of(array), layers_.front().inputs};
        } else if (py::isinstance<DenseSamples<T>>(x)) {
            matrix = x.cast<const DenseSamples<T>&>().matrix();
            require(matrix.inputs == layers_.front().inputs, "X does not fit the network");
        } else {
            return py::none();
        }
        const std::size_t n = matrix.n;
        Array<T> result({n, layers_.back().outputs});
        T* const out = result.mutable_data();
        const auto run = [&](dense::Poll poll) {
            return dense::predict(layers_, *kernels_, matrix, out, n_threads, poll);
        };
        const bool finite = is_long(n) ? without_gil(progress, run) : run({});
        return finite ? py::object(std::move(result)) : py::none();
    }

    /// (mean loss, share of samples of the right class), the latter None without classes; None
    /// if X is not finite.
    py::object evaluate(const DenseData<T>& data, const std::string& loss_name,
                        const py::object& classes, const py::object& progress,
                        const std::vector<double>& quantiles, std::size_t n_threads) const {
        require_fits(data);
        const dense::Loss loss = to_loss(loss_name);
        require_fits(loss, quantiles);
        const std::size_t n = data.samples().size();
        const std::int64_t* expected = nullptr;
        if (!classes.is_none()) expected = DenseData<T>::to_labels(classes, n).data();
        const auto run = [&](dense::Poll poll) {
            return dense::evaluate(layers_, *kernels_, loss, data.samples().matrix(),
                                   data.targets(), expected, poll, quantiles, n_threads);
        };
        const dense::Evaluation result = is_long(n) ? without_gil(progress, run) : run({});
        if (!result.finite) return py::none();
        const double share = static_cast<double>(result.correct) / static_cast<double>(n);
        return py::make_tuple(result.loss,
                              expected != nullptr ? py::object(py::float_(share)) : py::none());
    }

    /// (mean loss, gradients of it: weights and biases of every layer). The factors of the samples'
    /// losses may be None.
    py::tuple gradients(const DenseData<T>& data, const std::string& loss_name,
                        const std::vector<double>& quantiles, const py::object& weights) const {
        require_fits(data);
        const dense::Targets<T> targets = data.weighted(weights);
        double loss = 0;
        dense::Options options;
        options.batch_size = data.samples().size();
        options.loss = to_loss(loss_name);
        options.quantiles = quantiles;
        require_fits(options.loss, quantiles);
        options.optimizer.record_norms = true;
        py::list result;
        std::vector<dense::Layer<T>> into = layers_;
        for (dense::Layer<T>& layer : into) {
            Array<T> w({layer.outputs, layer.inputs});
            Array<T> b(static_cast<py::ssize_t>(layer.outputs));
            layer.weights = w.mutable_data();
            layer.biases = b.mutable_data();
            result.append(py::make_tuple(w, b));
        }
        without_gil(py::none(), [&](dense::Poll poll) {
            loss = dense::Trainer<T>(layers_, *kernels_, {data.samples().packed(poll), targets},
                                     options, poll)
                       .gradients(into, poll);
        });
        return py::make_tuple(loss, result);
    }

    bool is_long(std::size_t n_samples) const {
        return n_samples >= long_call || n_samples * dense::work_of(layers_) >= long_call;
    }

    bool fits(const Array<T>& x) const {
        return x.ndim() == 2 && x.shape(0) > 0 &&
               static_cast<std::size_t>(x.shape(1)) == layers_.front().inputs;
    }
    void require_fits(const DenseData<T>& data) const {
        require(data.fits(layers_.front().inputs, layers_.back().outputs),
                "the data do not fit the network");
    }
    void require_fits(dense::Loss loss, const std::vector<double>& quantiles) const {
        require(loss != dense::Loss::pinball || quantiles.size() == layers_.back().outputs,
                "a quantile for every output");
    }

   private:
    std::vector<Array<T>> weights_, biases_;
    const dense::Kernels<T>* kernels_;
    std::vector<dense::Layer<T>> layers_;
};

void bind_training(py::module_& module);

}  // namespace exactnet::bindings
