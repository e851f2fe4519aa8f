#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "convert.hpp"
#include "dense/kernels.hpp"
#include "dense/network.hpp"
#include "dense/random.hpp"
#include "dense/trainer.hpp"

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

    Array<T> predict(const Array<T>& x, bool activate_last) const {
        check_samples(x);
        const std::size_t n = rows_of(x);
        Array<T> result({n, layers_.back().outputs});
        T* const out = result.mutable_data();
        const T* const in = x.data();
        constexpr std::size_t short_call = 64;  // releasing the GIL costs more than it is worth
        if (n < short_call) {
            dense::predict(layers_, *kernels_, in, n, out, activate_last);
        } else {
            const py::gil_scoped_release release;
            dense::predict(layers_, *kernels_, in, n, out, activate_last);
        }
        return result;
    }

    double loss(const Array<T>& x, const py::object& values, const py::object& labels,
                const std::string& loss_name) const {
        const Array<T> z = predict(x, false);
        const auto targets = to_targets(x, values, labels);
        const dense::Loss loss_kind = to_loss(loss_name);
        const T* const data = z.data();
        const std::size_t n = rows_of(z);
        const py::gil_scoped_release release;
        return dense::mean_loss(loss_kind, layers_.back(), *kernels_, data, n, targets);
    }

    py::list gradients(const Array<T>& x, const py::object& values, const py::object& labels,
                       const std::string& loss_name) const {
        check_samples(x);
        const auto targets = to_targets(x, values, labels);
        const dense::Loss loss_kind = to_loss(loss_name);
        py::list result;
        std::vector<dense::Layer<T>> into = layers_;
        for (dense::Layer<T>& layer : into) {
            Array<T> w({layer.outputs, layer.inputs});
            Array<T> b(static_cast<py::ssize_t>(layer.outputs));
            layer.weights = w.mutable_data();
            layer.biases = b.mutable_data();
            std::fill_n(layer.weights, w.size(), T(0));
            std::fill_n(layer.biases, b.size(), T(0));
            result.append(py::make_tuple(w, b));
        }
        const T* const data = x.data();
        const std::size_t n = rows_of(x);
        const py::gil_scoped_release release;
        dense::Trainer<T> trainer(layers_, *kernels_, n, loss_kind, {});
        trainer.gradients(data, targets, n, into);
        return result;
    }

    void check_samples(const Array<T>& x) const {
        require(x.ndim() == 2 && rows_of(x) > 0 &&
                    static_cast<std::size_t>(x.shape(1)) == layers_.front().inputs,
                "X does not fit the network");
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
            targets.values = array.data();
        }
        return targets;
    }

   private:
    std::vector<Array<T>> weights_, biases_;
    const dense::Kernels<T>* kernels_;
    std::vector<dense::Layer<T>> layers_;
};

template <class T>
class DenseTrainer {
   public:
    DenseTrainer(std::shared_ptr<DenseNetwork<T>> network, std::size_t batch_size,
                 const std::string& loss, double learning_rate, double momentum, bool nesterov)
        : network_(std::move(network)),
          trainer_(network_->layers(), network_->kernels(), check_batch(batch_size), to_loss(loss),
                   {learning_rate, momentum, nesterov}) {}

    /// The network's arrays hold the new weights afterwards, also after an exception.
    double epoch(const Array<T>& x, const py::object& values, const py::object& labels,
                 const Array<std::uint32_t>& order, const py::object& progress) {
        network_->check_samples(x);
        const auto targets = network_->to_targets(x, values, labels);
        const std::size_t n = rows_of(x);
        const std::span<const std::uint32_t> rows(order.data(),
                                                  static_cast<std::size_t>(order.size()));
        require(std::all_of(rows.begin(), rows.end(), [&](std::uint32_t r) { return r < n; }),
                "order names a row that does not exist");
        const T* const data = x.data();
        exact::Monitor monitor = make_monitor(progress);
        const py::gil_scoped_release release;
        trainer_.read();
        double sum = 0;
        try {
            sum = trainer_.epoch(data, targets, rows, [&] { monitor.step(0); });
        } catch (...) {
            trainer_.write();
            throw;
        }
        trainer_.write();
        return sum;
    }

   private:
    static std::size_t check_batch(std::size_t batch_size) {
        require(batch_size > 0, "batch_size must be positive");
        return batch_size;
    }

    std::shared_ptr<DenseNetwork<T>> network_;
    dense::Trainer<T> trainer_;
};

template <class T>
void bind_precision(py::module_& module, const char* network_name, const char* trainer_name) {
    using Network = DenseNetwork<T>;
    const auto none = py::none();
    py::class_<Network, std::shared_ptr<Network>>(module, network_name,
                                                  "Layers in the memory of NumPy arrays.")
        .def(py::init<std::vector<Array<T>>, std::vector<Array<T>>,
                      const std::vector<std::tuple<std::string, double, double>>&,
                      const std::string&>(),
             py::arg("weights"), py::arg("biases"), py::arg("activations"), py::arg("isa"))
        .def_property_readonly("isa", &Network::isa)
        .def("predict", &Network::predict, py::arg("x").noconvert(),
             py::arg("activate_last") = true)
        .def("loss", &Network::loss, py::arg("x").noconvert(), py::arg("values"), py::arg("labels"),
             py::arg("loss"))
        .def("gradients", &Network::gradients, py::arg("x").noconvert(), py::arg("values"),
             py::arg("labels"), py::arg("loss"));
    py::class_<DenseTrainer<T>>(module, trainer_name, "Minibatch SGD with its optimiser state.")
        .def(py::init<std::shared_ptr<Network>, std::size_t, const std::string&, double, double,
                      bool>(),
             py::arg("network"), py::arg("batch_size"), py::arg("loss"), py::arg("learning_rate"),
             py::arg("momentum"), py::arg("nesterov"))
        .def("epoch", &DenseTrainer<T>::epoch, py::arg("x").noconvert(), py::arg("values"),
             py::arg("labels"), py::arg("order").noconvert(), py::arg("progress") = none,
             "Sum of the losses of all samples.");
}

}  // namespace

void bind_dense(py::module_& module) {
    bind_precision<float>(module, "DenseNetwork32", "DenseTrainer32");
    bind_precision<double>(module, "DenseNetwork64", "DenseTrainer64");
    module.def("supported_isas", &dense::supported_isas,
               "Instruction sets of this processor that there are kernels for, fastest first.");
    py::class_<dense::Generator>(module, "Generator", "The package's random numbers.")
        .def(py::init<std::uint64_t>(), py::arg("state"))
        .def_property_readonly("state", &dense::Generator::state)
        .def(
            "shuffle",
            [](dense::Generator& generator, Array<std::uint32_t>& order) {
                std::uint32_t* const data = order.mutable_data();
                for (auto i = static_cast<std::uint64_t>(order.size()); i > 1; --i) {
                    std::swap(data[i - 1], data[generator.below(i)]);
                }
            },
            py::arg("order").noconvert())
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
}

}  // namespace exactnet::bindings
