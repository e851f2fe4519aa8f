#include "dense.hpp"

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dense/random.hpp"

namespace exactnet::bindings {

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
        {"exp", Kind::exp},
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
    if (name == "pinball") return dense::Loss::pinball;
    if (name == "poisson") return dense::Loss::poisson;
    throw std::invalid_argument("unknown loss '" + name + "'");
}

namespace {

template <class T>
void bind_network(py::module_& module, const char* samples_name, const char* data_name,
                  const char* network_name) {
    using Samples = DenseSamples<T>;
    using Data = DenseData<T>;
    py::class_<Samples, std::shared_ptr<Samples>>(
        module, samples_name, "X in the memory of NumPy arrays; packed at its first training.")
        .def(py::init<Array<T>>(), py::arg("x").noconvert())
        .def(py::init<Array<std::uint8_t>>(), py::arg("x").noconvert())
        .def(py::init<Array<T>, Array<std::int64_t>, Array<std::int32_t>, std::size_t>(),
             py::arg("values").noconvert(), py::arg("starts").noconvert(),
             py::arg("columns").noconvert(), py::arg("inputs"))
        .def_property_readonly("packings", &Samples::packings, "How often they were packed.");
    py::class_<Data, std::shared_ptr<Data>>(module, data_name,
                                            "Samples, and values or int64 labels for them.")
        .def(py::init<std::shared_ptr<Samples>, py::object, py::object>(), py::arg("samples"),
             py::arg("values"), py::arg("labels"));
    using Network = DenseNetwork<T>;
    py::class_<Network, std::shared_ptr<Network>>(module, network_name,
                                                  "Layers in the memory of NumPy arrays.")
        .def(py::init<std::vector<Array<T>>, std::vector<Array<T>>,
                      const std::vector<std::tuple<std::string, double, double>>&,
                      const std::string&>(),
             py::arg("weights"), py::arg("biases"), py::arg("activations"), py::arg("isa"))
        .def_property_readonly("isa", &Network::isa)
        .def("predict", &Network::predict, py::arg("x"), py::arg("progress") = py::none(),
             py::arg("n_threads") = 1,
             "The outputs, or None if x is neither a matrix of finite samples in the right memory "
             "nor the core's samples.")
        .def("evaluate", &Network::evaluate, py::arg("data"), py::arg("loss"),
             py::arg("classes") = py::none(), py::arg("progress") = py::none(),
             py::arg("quantiles") = std::vector<double>(), py::arg("n_threads") = 1,
             "(mean loss, share of samples of these classes or None), or None if x is not finite.")
        .def("gradients", &Network::gradients, py::arg("data"), py::arg("loss"),
             py::arg("quantiles") = std::vector<double>(), py::arg("weights") = py::none());
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
    bind_network<float>(module, "DenseSamples32", "DenseData32", "DenseNetwork32");
    bind_network<double>(module, "DenseSamples64", "DenseData64", "DenseNetwork64");
    bind_training(module);
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
