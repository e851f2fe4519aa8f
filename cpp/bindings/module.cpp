#include <pybind11/pybind11.h>

namespace exactnet::bindings {
namespace py = pybind11;
void bind_dense(py::module_& module);
void bind_exact(py::module_& module);
}  // namespace exactnet::bindings

PYBIND11_MODULE(_core, module) {
    module.doc() = "The compiled core of exactnet. Private: use the package's public names.";
    exactnet::bindings::bind_exact(module);
    exactnet::bindings::bind_dense(module);
}
