#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "convert.hpp"
#include "exact/evaluate.hpp"
#include "exact/memory.hpp"
#include "exact/projection.hpp"
#include "exact/theorem3.hpp"
#include "exact/verify.hpp"
#include "monitor.hpp"

PYBIND11_MAKE_OPAQUE(exactnet::exact::Network)

namespace exactnet::bindings {
namespace {

using IntegerArray = py::array_t<std::int64_t, py::array::c_style>;

OwnedTable table_from_array(const IntegerArray& numerators, const py::list& denominators) {
    if (numerators.ndim() != 2) throw std::invalid_argument("numerators must be 2-dimensional");
    if ((numerators.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0) {
        throw std::invalid_argument("numerators must be aligned");  // the core reads them in place
    }
    OwnedTable owned;
    owned.table.rows = static_cast<std::size_t>(numerators.shape(0));
    owned.table.cols = static_cast<std::size_t>(numerators.shape(1));
    owned.table.small = numerators.data();
    owned.table.denominators = to_integers(denominators);
    owned.keep_alive = numerators;
    return owned;
}

OwnedTable table_from_lists(const py::iterable& numerators, std::size_t rows,
                            const py::list& denominators) {
    OwnedTable owned;
    owned.table.rows = rows;
    owned.table.cols = denominators.size();
    owned.table.big.reserve(rows * owned.table.cols);
    for (const py::handle part : numerators) {
        for (exact::Integer& n : to_integers(py::cast<py::list>(part))) {
            owned.table.big.push_back(std::move(n));
        }
    }
    owned.table.denominators = to_integers(denominators);
    return owned;
}

void check_table(const OwnedTable& owned) {
    const exact::Table& table = owned.table;
    bool sound = table.denominators.size() == table.cols &&
                 (table.is_small() || table.big.size() == table.rows * table.cols);
    for (const exact::Integer& denominator : table.denominators) {
        sound = sound && denominator.sign() > 0;
    }
    if (!sound) throw std::invalid_argument("table: sizes or denominators are wrong");
}

/// Computes without the GIL, so that other Python threads run meanwhile. That is safe because
/// `compute` touches no Python object: tables and networks hold copies, or borrow the array of a
/// Table.core, which nobody writes to; the monitor takes the GIL for itself.
template <class Compute>
auto without_gil(const py::object& progress, const Compute& compute) {
    exact::memory::renew();
    base::Monitor monitor = make_monitor(progress, &exact::memory::exhausted());
    const py::gil_scoped_release release;
    return compute(monitor);
}

void add_layer(exact::Network& network, const py::list& weights, const py::list& biases,
               const std::string& activation) {
    exact::Layer layer;
    layer.weights = to_rationals(weights);
    layer.biases = to_rationals(biases);
    layer.outputs = layer.biases.size();
    if (layer.outputs == 0 || layer.weights.size() % layer.outputs != 0) {
        throw std::invalid_argument("layer: as many rows of weights as biases are needed");
    }
    layer.inputs = layer.weights.size() / layer.outputs;
    if (activation == "relu") {
        layer.activation = exact::Activation::relu;
    } else if (activation == "linear") {
        layer.activation = exact::Activation::linear;
    } else {
        throw std::invalid_argument("activation must be 'relu' or 'linear', not '" + activation +
                                    "'");
    }
    network.push_back(std::move(layer));
}

/// The pickle of a network: words of 64 bits, so that other processes get the numbers as they are,
/// in lowest terms, which making them from numerators and denominators would have to find anew.
class Words {
   public:
    void put(std::uint64_t word) { words_.push_back(word); }
    void put(mpz_srcptr value) {
        const std::size_t size = (mpz_sizeinbase(value, 2) + 63) / 64;
        put(2 * size + (mpz_sgn(value) < 0 ? 1 : 0));
        words_.resize(words_.size() + size);
        mpz_export(&words_[words_.size() - size], nullptr, -1, sizeof(std::uint64_t), 0, 0, value);
    }
    py::bytes bytes() const {
        return {reinterpret_cast<const char*>(words_.data()), words_.size() * sizeof words_[0]};
    }

    explicit Words() = default;
    explicit Words(std::string_view bytes) : words_(bytes.size() / sizeof(std::uint64_t)) {
        std::memcpy(words_.data(), bytes.data(), words_.size() * sizeof words_[0]);
    }
    const std::uint64_t* take(std::size_t size) {
        if (size > words_.size() - at_) throw std::invalid_argument("network: damaged pickle");
        at_ += size;
        return words_.data() + (at_ - size);
    }
    void take(mpz_ptr value) {
        const std::uint64_t head = *take(1);
        const std::uint64_t* words = take(head / 2);
        exact::memory::expect(head / 2 * sizeof(std::uint64_t));
        mpz_import(value, head / 2, -1, sizeof(std::uint64_t), 0, 0, words);
        if (head % 2 != 0) mpz_neg(value, value);
    }

    std::size_t left() const { return words_.size() - at_; }

   private:
    std::vector<std::uint64_t> words_;
    std::size_t at_ = 0;
};

py::bytes to_bytes(const exact::Network& network) {
    Words words;
    for (const exact::Layer& layer : network) {
        words.put(layer.outputs);
        words.put(layer.inputs);
        words.put(layer.activation == exact::Activation::relu ? 1 : 0);
        for (const auto* values : {&layer.weights, &layer.biases}) {
            for (const exact::Rational& value : *values) {
                words.put(value.num());
                words.put(value.den());
            }
        }
    }
    return words.bytes();
}

exact::Network from_bytes(const py::bytes& bytes) {
    exact::memory::renew();
    Words words{std::string_view(bytes)};
    exact::Network network;
    while (words.left() > 0) {
        exact::Layer layer;
        layer.outputs = *words.take(1);
        layer.inputs = *words.take(1);
        layer.activation =
            *words.take(1) != 0 ? exact::Activation::relu : exact::Activation::linear;
        for (auto* values : {&layer.weights, &layer.biases}) {
            const std::size_t n = layer.outputs * (values == &layer.weights ? layer.inputs : 1);
            values->reserve(std::min(n, words.left()));  // each number takes some words
            for (std::size_t k = 0; k < n; ++k) {
                exact::Rational& value = values->emplace_back();
                words.take(mpq_numref(value.get()));
                words.take(mpq_denref(value.get()));
            }
        }
        network.push_back(std::move(layer));
    }
    return network;
}

exact::Scale to_scale(const std::string& name) {
    if (name == "least") return exact::Scale::least;
    if (name == "worst_case") return exact::Scale::worst_case;
    throw std::invalid_argument("scale must be 'least' or 'worst_case', not '" + name + "'");
}

exact::Strategy to_strategy(const std::string& name) {
    if (name == "lexicographic") return exact::Strategy::lexicographic;
    if (name == "random") return exact::Strategy::random;
    if (name == "smallest") return exact::Strategy::smallest;
    throw std::invalid_argument("strategy must be 'lexicographic', 'random' or 'smallest', not '" +
                                name + "'");
}

py::tuple choose_projection(const OwnedTable& points, const std::string& strategy,
                            std::uint64_t seed, const py::object& progress) {
    const exact::Strategy which = to_strategy(strategy);
    auto projection = without_gil(progress, [&](base::Monitor& monitor) {
        return exact::choose_projection(points.table, which, seed, monitor);
    });
    return py::make_tuple(
        to_mpz_list(std::move(projection.weights)), to_mpz_list(std::move(projection.offsets)),
        to_mpz_list(std::move(projection.steps)), to_mpz_list(std::move(projection.values)));
}

py::list project(const OwnedTable& points, const py::list& weights, const py::object& progress) {
    const auto vector = to_integers(weights);
    return to_mpq_list(without_gil(progress, [&](base::Monitor& monitor) {
        return exact::project(points.table, vector, monitor);
    }));
}

py::array_t<std::int64_t> first_occurrences(const OwnedTable& points, const py::object& progress) {
    const auto first = without_gil(progress, [&](base::Monitor& monitor) {
        return exact::first_occurrences(points.table, monitor);
    });
    py::array_t<std::int64_t> result(static_cast<py::ssize_t>(first.size()));
    for (std::size_t k = 0; k < first.size(); ++k) {
        result.mutable_at(k) = static_cast<std::int64_t>(first[k]);
    }
    return result;
}

py::list construct_theorem3(const py::list& t, const py::list& components, std::size_t a1,
                            std::size_t a2, const std::string& scale, std::size_t n_threads,
                            const py::object& progress) {
    const auto ts = to_rationals(t);
    std::vector<std::vector<exact::Rational>> targets;
    for (const py::handle y : components) targets.push_back(to_rationals(py::cast<py::list>(y)));
    const exact::Scale which = to_scale(scale);
    auto groups = without_gil(progress, [&](base::Monitor& monitor) {
        return exact::construct_theorem3(ts, targets, a1, a2, which, n_threads, monitor);
    });
    py::list result;
    for (exact::Theorem3& group : groups) {
        result.append(py::make_tuple(
            to_mpq_list(std::move(group.breakpoints)), to_mpq_list(std::move(group.weights)),
            to_mpq_list(std::move(group.biases)), to_mpq_list(std::move(group.output_weights)),
            to_mpq(std::move(group.output_bias))));
    }
    return result;
}

double predict_theorem3_bytes(const py::list& t, const py::list& y, std::size_t a1, std::size_t a2,
                              const std::string& scale, const py::object& progress) {
    const auto ts = to_rationals(t), ys = to_rationals(y);
    const exact::Scale which = to_scale(scale);
    return without_gil(progress, [&](base::Monitor& monitor) {
        return exact::predict_theorem3_bytes(ts, ys, a1, a2, which, monitor);
    });
}

py::list predict(const exact::Network& network, const OwnedTable& points, std::size_t n_threads,
                 const py::object& progress) {
    return to_mpq_list(without_gil(progress, [&](base::Monitor& monitor) {
        return exact::predict(network, points.table, n_threads, monitor);
    }));
}

py::tuple verify(const exact::Network& network, const OwnedTable& points, const OwnedTable& targets,
                 std::size_t n_threads, const py::object& progress) {
    const auto report = without_gil(progress, [&](base::Monitor& monitor) {
        return exact::verify(network, points.table, targets.table, n_threads, monitor);
    });
    return py::make_tuple(report.n_points, report.n_wrong, report.first_wrong,
                          to_mpq(report.max_error));
}

}  // namespace

void bind_exact(py::module_& module) {
    const auto none = py::none();
    exact::memory::install();

    py::class_<OwnedTable>(module, "Table",
                           "Rationals (rows, columns): integer numerators over one positive mpz "
                           "denominator a column.")
        .def(py::init([](const IntegerArray& numerators, const py::list& denominators) {
                 auto table = table_from_array(numerators, denominators);
                 check_table(table);
                 return table;
             }),
             py::arg("numerators").noconvert(), py::arg("denominators"))
        .def_static(
            "from_integers",
            [](const py::iterable& numerators, std::size_t rows, const py::list& denominators) {
                auto table = table_from_lists(numerators, rows, denominators);
                check_table(table);
                return table;
            },
            py::arg("numerators"), py::arg("rows"), py::arg("denominators"),
            "Like Table, from flat lists of mpz of any size, of some rows each: a generator "
            "answers Ctrl-C between them.");

    py::class_<exact::Network>(module, "ExactNetwork", "Layers of rational parameters.")
        .def(py::init<>())
        .def("add_layer", &add_layer, py::arg("weights"), py::arg("biases"), py::arg("activation"),
             "weights: flat list of mpq, row-major (outputs, inputs).")
        .def(py::pickle(&to_bytes, &from_bytes));

    module.def("choose_projection", &choose_projection, py::arg("points"), py::arg("strategy"),
               py::arg("seed"), py::arg("progress") = none,
               "(weights, offsets, steps, values): lists of mpz.");
    module.def("project", &project, py::arg("points"), py::arg("weights"),
               py::arg("progress") = none, "The given weights' values, a list of mpq.");
    module.def(
        "find_collision",
        [](const py::list& values, const py::object& progress) {
            const auto rationals = to_rationals(values);
            return without_gil(progress, [&](base::Monitor& monitor) {
                return exact::find_collision(rationals, monitor);
            });
        },
        py::arg("values"), py::arg("progress") = none, "Two rows of equal value, or None.");
    module.def("first_occurrences", &first_occurrences, py::arg("points"),
               py::arg("progress") = none, "For every row the first row that equals it.");
    module.def("construct_theorem3", &construct_theorem3, py::arg("t"), py::arg("components"),
               py::arg("a1"), py::arg("a2"), py::arg("scale"), py::arg("n_threads") = 1,
               py::arg("progress") = none,
               "(breakpoints, weights, biases, output_weights, output_bias) for every component.");
    module.def("predict_theorem3_bytes", &predict_theorem3_bytes, py::arg("t"), py::arg("y"),
               py::arg("a1"), py::arg("a2"), py::arg("scale"), py::arg("progress") = none,
               "Estimated size of the parameters in bytes.");
    module.def("predict", &predict, py::arg("network"), py::arg("points"), py::arg("n_threads") = 1,
               py::arg("progress") = none, "Exact outputs, a flat list of mpq.");
    module.def("verify", &verify, py::arg("network"), py::arg("points"), py::arg("targets"),
               py::arg("n_threads") = 1, py::arg("progress") = none,
               "(n_points, n_wrong, first_wrong, max_error).");
}

}  // namespace exactnet::bindings
