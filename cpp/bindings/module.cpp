#include <pybind11/pybind11.h>

#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>

namespace exactnet::bindings {
namespace py = pybind11;
void bind_dense(py::module_& module);
void bind_exact(py::module_& module);
void bind_rows(py::module_& module);

namespace {

/// No memory is a MemoryError in words, also where pybind11 makes it a RuntimeError.
void translate(std::exception_ptr error) {
    try {
        std::rethrow_exception(std::move(error));
    } catch (const std::bad_alloc&) {
        PyErr_SetString(PyExc_MemoryError, "memory has run out");
    } catch (const std::runtime_error& e) {
        if (std::strncmp(e.what(), "Could not allocate", 18) != 0) throw;
        PyErr_SetString(PyExc_MemoryError, "memory has run out");
    }
}

}  // namespace
}  // namespace exactnet::bindings

PYBIND11_MODULE(_core, module) {
    module.doc() = "The compiled core of exactnet. Private: use the package's public names.";
    pybind11::register_local_exception_translator(&exactnet::bindings::translate);
    exactnet::bindings::bind_exact(module);
    exactnet::bindings::bind_dense(module);
    exactnet::bindings::bind_rows(module);
}
