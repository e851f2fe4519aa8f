// Rows of CSV for Python.
#include "base/rows.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <stdexcept>
#include <string>

namespace exactnet::bindings {
namespace py = pybind11;

namespace {

/// Python's own conversion, which rounds correctly. The GIL is held: chunks are short.
double to_float(const char* digits) {
    char* stop = nullptr;
    const double value = PyOS_string_to_double(digits, &stop, nullptr);
    if (value == -1.0 && PyErr_Occurred() != nullptr) throw py::error_already_set();
    return value;
}

template <class T>
py::array_t<T> matrix(const std::vector<T>& values, std::size_t rows) {
    const std::size_t columns = rows == 0 ? 0 : values.size() / rows;
    return py::array_t<T>({rows, columns}, values.data());
}

py::tuple read_rows(const py::bytes& text, std::size_t position, std::int64_t line, bool last,
                    char delimiter, char decimal, const std::string& columns, bool exact) {
    const std::string_view view = text;
    if (position > view.size()) throw std::invalid_argument("position is behind the text");
    base::RowFormat format{delimiter, decimal, {}};
    for (const char c : columns) {
        if (c < 0 || c > 2) throw std::invalid_argument("a column is neither 0, 1 nor 2");
        format.columns.push_back(static_cast<base::Column>(c));
    }
    base::Rows rows =
        base::RowReader(view, format, exact ? nullptr : to_float, last).read(position, line);
    const std::size_t n = rows.lines.size();
    if (!rows.highs.empty()) rows.highs.resize(rows.mantissas.size());
    const py::object numbers =
        exact ? py::object(matrix(rows.mantissas, n)) : py::object(matrix(rows.floats, n));
    return py::make_tuple(numbers, matrix(rows.exponents, n), matrix(rows.highs, n),
                          matrix(rows.texts, n),
                          py::array_t<std::int64_t>(static_cast<py::ssize_t>(n), rows.lines.data()),
                          rows.position, rows.line, rows.odd);
}

}  // namespace

void bind_rows(py::module_& module) {
    module.def("read_rows", &read_rows, py::arg("text"), py::arg("position"), py::arg("line"),
               py::arg("last"), py::arg("delimiter"), py::arg("decimal"), py::arg("columns"),
               py::arg("exact"));
}

}  // namespace exactnet::bindings
