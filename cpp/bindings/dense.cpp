#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "dense/kernels.hpp"
#include "dense/loss.hpp"
#include "dense/network.hpp"
#include "dense/random.hpp"
#include "dense/samples.hpp"
#include "dense/trainer.hpp"
#include "monitor.hpp"

namespace exactnet::bindings {
namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;

dense::ActivationKind to_kind(const std::string& name) {
    using Kind = dense::ActivationKind;
    static const std::pair<const char*, Kind> kinds[] = {
        {"linear", Kind::linear},
        {"sigmoid", Kind::sigmoid},
        {"tanh", Kind::tanh},
        {"relu", Kind::relu},
        {"step", Kind::step},
        {"softmax", Kind::softmax},
        {"leaky_relu", Kind::leaky_relu},
    };
    for (const auto& [known, kind] : kinds) {
        if (name == known) return kind;
    }
    throw std::invalid_argument("unknown activation '" + name + "'");
}

dense::Loss to_loss(const std::string& name) {
    if (name == "quadratic") return dense::Loss::quadratic;
    if (name == "mse") return dense::Loss::mse;
    if (name == "cross_entropy") return dense::Loss::cross_entropy;
    throw std::invalid_argument("unknown loss '" + name + "'");
}

void require(bool condition, const char* what) {
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
constexpr std::size_t long_call = std::size_t{1} << 18;

/// Calls body(poll) without the GIL. The monitor lives in this thread.
template <class Body>
auto without_gil(const py::object& progress, const Body& body) {
    base::Monitor monitor = make_monitor(progress);
    const dense::Poll::Call call = [&] { monitor.step(0); };
    const py::gil_scoped_release release;
    return body(dense::Poll(call));
}

std::size_t rows_of(const py::array& array) { return static_cast<std::size_t>(array.shape(0)); }

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

    /// None if x is not, as it stands, an array of finite samples of this network.
    py::object predict(const py::object& x, const py::object& progress) const {
        if (!py::isinstance<Array<T>>(x)) return py::none();
        const auto array = py::reinterpret_borrow<Array<T>>(x);
        if (!fits(array) || !aligned(array)) return py::none();
        const std::size_t n = rows_of(array);
        Array<T> result({n, layers_.back().outputs});
        T* const out = result.mutable_data();
        const T* const in = array.data();
        const auto run = [&](dense::Poll poll) {
            return dense::predict(layers_, *kernels_, in, n, out, poll);
        };
        const bool finite = is_long(n) ? without_gil(progress, run) : run({});
        return finite ? py::object(std::move(result)) : py::none();
    }

    double loss(const Array<T>& x, const py::object& values, const py::object& labels,
                const std::string& loss_name, const py::object& progress) const {
        require_fits(x);
        const auto targets = to_targets(x, values, labels);
        const dense::Loss loss_kind = to_loss(loss_name);
        const T* const data = x.data();
        const std::size_t n = rows_of(x);
        const auto run = [&](dense::Poll poll) {
            return dense::mean_loss(layers_, *kernels_, loss_kind, data, n, targets, poll);
        };
        return is_long(n) ? without_gil(progress, run) : run({});
    }

    py::list gradients(const Array<T>& x, const py::object& values, const py::object& labels,
                       const std::string& loss_name) const {
        require_fits(x);
        const auto targets = to_targets(x, values, labels);
        const dense::Loss loss_kind = to_loss(loss_name);
        py::list result;
        std::vector<dense::Layer<T>> into = layers_;
        for (dense::Layer<T>& layer : into) {
            Array<T> w({layer.outputs, layer.inputs});
            Array<T> b(static_cast<py::ssize_t>(layer.outputs));
            layer.weights = w.mutable_data();
            layer.biases = b.mutable_data();
            result.append(py::make_tuple(w, b));
        }
        const dense::Data<T> data{x.data(), rows_of(x), targets};
        without_gil(py::none(), [&](dense::Poll poll) {
            dense::Optimizer optimizer;
            optimizer.record_norms = true;
            dense::Trainer<T>(layers_, *kernels_, data, data.n, loss_kind, optimizer, 1, poll)
                .gradients(into, poll);
        });
        return result;
    }

    bool is_long(std::size_t n_samples) const {
        return n_samples >= long_call || n_samples * dense::work_of(layers_) >= long_call;
    }

    bool fits(const Array<T>& x) const {
        return x.ndim() == 2 && x.shape(0) > 0 &&
               static_cast<std::size_t>(x.shape(1)) == layers_.front().inputs;
    }
    void require_fits(const Array<T>& x) const {
        require(fits(x), "X does not fit the network");
        require(aligned(x), "X must be aligned");
    }

    dense::Targets<T> to_targets(const Array<T>& x, const py::object& values,
                                 const py::object& labels) const {
        const std::size_t n = rows_of(x), outputs = layers_.back().outputs;
        dense::Targets<T> targets;
        if (!labels.is_none()) {
            // Exactly this type: a conversion would die with this function.
            require(py::isinstance<Array<std::int64_t>>(labels), "labels must be int64");
            const auto array = py::cast<Array<std::int64_t>>(labels);
            require(array.ndim() == 1 && rows_of(array) == n, "labels do not fit X");
            require(aligned(array), "labels must be aligned");
            targets.labels = array.data();
            const auto valid = [&](std::int64_t label) {
                return label >= 0 && static_cast<std::size_t>(label) < outputs;
            };
            require(std::all_of(array.data(), array.data() + n, valid), "label out of range");
        } else {
            require(py::isinstance<Array<T>>(values), "y must have the network's type");
            const auto array = py::cast<Array<T>>(values);
            require(array.ndim() == 2 && rows_of(array) == n &&
                        static_cast<std::size_t>(array.shape(1)) == outputs,
                    "y does not fit X and the network");
            require(aligned(array), "y must be aligned");
            targets.values = array.data();
        }
        return targets;
    }

   private:
    std::vector<Array<T>> weights_, biases_;
    const dense::Kernels<T>* kernels_;
    std::vector<dense::Layer<T>> layers_;
};

dense::Optimizer to_optimizer(const std::string& name, double momentum, bool nesterov,
                              const std::array<double, 3>& adam, double clip_norm, double alpha,
                              double p, std::vector<double> dropout, bool record_norms) {
    dense::Optimizer optimizer;
    require(name == "sgd" || name == "adam", "unknown optimizer");
    optimizer.kind = name == "adam" ? dense::Optimizer::Kind::adam : dense::Optimizer::Kind::sgd;
    optimizer.momentum = momentum;
    optimizer.nesterov = nesterov;
    optimizer.beta1 = adam[0];
    optimizer.beta2 = adam[1];
    optimizer.epsilon = adam[2];
    optimizer.clip_norm = clip_norm;
    optimizer.alpha = alpha;
    optimizer.p = p;
    optimizer.dropout = std::move(dropout);
    optimizer.record_norms = record_norms;
    return optimizer;
}

/// Keeps the arrays that it trains on alive.
template <class T>
class DenseTrainer {
   public:
    DenseTrainer(std::shared_ptr<DenseNetwork<T>> network, Array<T> x, py::object values,
                 py::object labels, py::object weights, std::size_t batch_size,
                 const std::string& loss, std::size_t n_threads, const std::string& optimizer,
                 double momentum, bool nesterov, const std::array<double, 3>& adam,
                 double clip_norm, double alpha, double p, std::vector<double> dropout,
                 bool record_norms, const py::object& progress)
        : network_(std::move(network)),
          x_(std::move(x)),
          values_(std::move(values)),
          labels_(std::move(labels)),
          weights_(std::move(weights)),
          optimizer_(to_optimizer(optimizer, momentum, nesterov, adam, clip_norm, alpha, p,
                                  std::move(dropout), record_norms)) {
        require(batch_size > 0 && n_threads > 0, "batch_size and n_threads must be positive");
        network_->require_fits(x_);
        require(rows_of(x_) <= std::numeric_limits<std::uint32_t>::max(), "too many samples");
        dense::Data<T> data{x_.data(), rows_of(x_), network_->to_targets(x_, values_, labels_)};
        if (!weights_.is_none()) {
            require(py::isinstance<Array<T>>(weights_), "weights must have the network's type");
            const auto array = py::cast<Array<T>>(weights_);
            require(array.ndim() == 1 && rows_of(array) == data.n, "weights do not fit X");
            require(aligned(array), "weights must be aligned");
            data.targets.weights = array.data();
        }
        const dense::Loss loss_kind = to_loss(loss);
        without_gil(progress, [&](dense::Poll poll) {
            trainer_ = std::make_unique<dense::Trainer<T>>(network_->layers(), network_->kernels(),
                                                           data, batch_size, loss_kind, optimizer_,
                                                           n_threads, poll);
        });
    }

    bool finite() const { return trainer_->finite(); }

    /// The network's arrays hold the new weights afterwards, also after an exception.
    py::tuple run(const Array<double>& rates, bool shuffle, dense::Generator& random, double until,
                  const py::object& progress) {
        const auto epochs = static_cast<std::size_t>(rates.size());
        const std::size_t n_layers = network_->layers().size();
        Array<double> losses(rates.size()), seconds(rates.size());
        Array<double> norms({optimizer_.record_norms ? epochs : std::size_t{0}, n_layers});
        std::fill_n(norms.mutable_data(), norms.size(), 0.0);
        dense::Schedule schedule;
        schedule.rates = {rates.data(), epochs};
        schedule.losses = {losses.mutable_data(), epochs};
        schedule.seconds = {seconds.mutable_data(), epochs};
        schedule.norms = {norms.mutable_data(), static_cast<std::size_t>(norms.size())};
        schedule.until = until;
        base::Monitor monitor = make_monitor(progress);
        std::size_t finished = 0;
        std::exception_ptr error;
        {
            const dense::Poll::Call call = [&] { monitor.step(0); };
            const py::gil_scoped_release release;
            trainer_->read(dense::Poll(call));
            require(trainer_->finite_parameters(),
                    "a weight, a bias or the state of the optimizer is not finite");
            try {
                monitor.begin(epochs * trainer_->n_batches());
                finished = trainer_->run(schedule, shuffle, random,
                                         [&](std::size_t n_batches) { monitor.step(n_batches); });
            } catch (...) {
                error = std::current_exception();
            }
            trainer_->write();
        }
        // Here, and not when Python asks for it: a signal may come first.
        after_ = state();
        if (error) std::rethrow_exception(error);
        return py::make_tuple(losses, seconds, norms, finished);
    }

    /// What belongs to the weights that the last run wrote; see bind_precision.
    py::object after() const { return after_; }

    using Moments = std::vector<std::pair<Array<T>, Array<T>>>;

    void set_state(const Moments& first, const Moments& second, std::uint64_t steps) {
        const bool adam = optimizer_.kind == dense::Optimizer::Kind::adam;
        require(adam || optimizer_.momentum != 0, "this optimizer has no state");
        set_moments(first, false);
        if (adam) set_moments(second, true);
        trainer_->set_steps(steps);
    }

   private:
    py::tuple state() {
        const bool adam = optimizer_.kind == dense::Optimizer::Kind::adam;
        const auto moments = [&](bool second, bool present) -> py::object {
            if (!present) return py::none();
            py::list result;
            for (std::size_t l = 0; l < network_->layers().size(); ++l) {
                const dense::Layer<T>& layer = network_->layers()[l];
                Array<T> w({layer.outputs, layer.inputs});
                Array<T> b(static_cast<py::ssize_t>(layer.outputs));
                trainer_->write_state(l, second, w.mutable_data(), b.mutable_data());
                result.append(py::make_tuple(w, b));
            }
            return result;
        };
        return py::make_tuple(moments(false, adam || optimizer_.momentum != 0), moments(true, adam),
                              trainer_->steps(), trainer_->epochs());
    }

    void set_moments(const Moments& moments, bool second) {
        const auto& layers = network_->layers();
        require(moments.size() == layers.size(), "one entry per layer");
        for (std::size_t l = 0; l < layers.size(); ++l) {
            const auto& [w, b] = moments[l];
            require(aligned(w) && aligned(b), "the state must be aligned");
            require(static_cast<std::size_t>(w.size()) == layers[l].outputs * layers[l].inputs &&
                        static_cast<std::size_t>(b.size()) == layers[l].outputs,
                    "the state does not fit the layers");
            trainer_->read_state(l, second, w.data(), b.data());
        }
    }

    std::shared_ptr<DenseNetwork<T>> network_;
    Array<T> x_;
    py::object values_, labels_, weights_;
    dense::Optimizer optimizer_;
    std::unique_ptr<dense::Trainer<T>> trainer_;
    py::object after_ = py::none();
};

template <class T>
void bind_precision(py::module_& module, const char* network_name, const char* trainer_name) {
    using Network = DenseNetwork<T>;
    py::class_<Network, std::shared_ptr<Network>>(module, network_name,
                                                  "Layers in the memory of NumPy arrays.")
        .def(py::init<std::vector<Array<T>>, std::vector<Array<T>>,
                      const std::vector<std::tuple<std::string, double, double>>&,
                      const std::string&>(),
             py::arg("weights"), py::arg("biases"), py::arg("activations"), py::arg("isa"))
        .def_property_readonly("isa", &Network::isa)
        .def("predict", &Network::predict, py::arg("x"), py::arg("progress") = py::none(),
             "The outputs, or None if x is not a matrix of finite samples in the right memory.")
        .def("loss", &Network::loss, py::arg("x").noconvert(), py::arg("values"), py::arg("labels"),
             py::arg("loss"), py::arg("progress") = py::none())
        .def("gradients", &Network::gradients, py::arg("x").noconvert(), py::arg("values"),
             py::arg("labels"), py::arg("loss"));
    py::class_<DenseTrainer<T>>(module, trainer_name, "Minibatch SGD with its optimiser state.")
        .def(py::init<std::shared_ptr<Network>, Array<T>, py::object, py::object, py::object,
                      std::size_t, const std::string&, std::size_t, const std::string&, double,
                      bool, const std::array<double, 3>&, double, double, double,
                      std::vector<double>, bool, const py::object&>(),
             py::arg("network"), py::arg("x").noconvert(), py::arg("values"), py::arg("labels"),
             py::arg("weights"), py::arg("batch_size"), py::arg("loss"), py::arg("n_threads"),
             py::arg("optimizer"), py::arg("momentum"), py::arg("nesterov"), py::arg("adam"),
             py::arg("clip_norm"), py::arg("alpha"), py::arg("p"), py::arg("dropout"),
             py::arg("record_norms"), py::arg("progress") = py::none())
        .def_property_readonly("finite", &DenseTrainer<T>::finite)
        .def("run", &DenseTrainer<T>::run, py::arg("rates").noconvert(), py::arg("shuffle"),
             py::arg("random"), py::arg("until"), py::arg("progress") = py::none(),
             "Train an epoch per rate; (losses, seconds, norms, number of epochs that count).")
        .def_property_readonly(
            "after", &DenseTrainer<T>::after,
            "None before the first run, then what belongs to the weights as the last one wrote "
            "them: (first moments, second moments, steps, epochs) of Adam, (velocities, None, 0, "
            "epochs) of momentum, (None, None, 0, epochs) of plain descent. Moments are lists of "
            "(weights, biases), epochs those of all runs.")
        .def("set_state", &DenseTrainer<T>::set_state, py::arg("first"), py::arg("second"),
             py::arg("steps"));
}

}  // namespace

void bind_dense(py::module_& module) {
    py::class_<dense::Generator>(module, "Generator", "The package's random numbers.")
        .def(py::init<std::uint64_t>(), py::arg("state"))
        .def_property_readonly("state", &dense::Generator::state)
        .def(
            "normal",
            [](dense::Generator& generator, std::size_t n, double scale) {
                py::array_t<double> values(static_cast<py::ssize_t>(n));
                double* const data = values.mutable_data();
                for (std::size_t k = 0; k < n; k += 2) {
                    const auto [x, y] = generator.normal_pair();
                    data[k] = scale * x;
                    if (k + 1 < n) data[k + 1] = scale * y;
                }
                return values;
            },
            py::arg("n"), py::arg("scale"))
        .def(
            "uniform",
            [](dense::Generator& generator, std::size_t n, double limit) {
                py::array_t<double> values(static_cast<py::ssize_t>(n));
                double* const data = values.mutable_data();
                for (std::size_t k = 0; k < n; ++k) data[k] = limit * generator.symmetric();
                return values;
            },
            py::arg("n"), py::arg("limit"));
    bind_precision<float>(module, "DenseNetwork32", "DenseTrainer32");
    bind_precision<double>(module, "DenseNetwork64", "DenseTrainer64");
    module.def(
        "all_finite",
        [](const py::array& x) {
            const auto check = [](auto array) {
                if (!aligned(array)) array = array.attr("copy")();
                const auto size = static_cast<std::size_t>(array.size());
                const auto* const data = array.data();
                if (size < long_call) return dense::all_finite(data, size);
                return without_gil(py::none(), [&](dense::Poll poll) {
                    return dense::all_finite(data, size, poll);
                });
            };
            if (py::isinstance<Array<float>>(x)) return check(py::cast<Array<float>>(x));
            require(py::isinstance<Array<double>>(x), "x must be a C-contiguous array of floats");
            return check(py::cast<Array<double>>(x));
        },
        py::arg("x"));
    module.def("supported_isas", &dense::supported_isas,
               "Instruction sets of this processor that there are kernels for, fastest first.");
}

}  // namespace exactnet::bindings
