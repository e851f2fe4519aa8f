// How long computations of both halves answer to Python.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>

#include "base/monitor.hpp"

namespace exactnet::bindings {

namespace py = pybind11;

/// A monitor that answers Ctrl-C and, if `progress` is not None, calls it with the finished share.
/// Its callback takes the GIL, so the computation runs without it. See base::Monitor for
/// `no_memory`.
base::Monitor make_monitor(const py::object& progress,
                           const std::atomic<bool>* no_memory = nullptr);

}  // namespace exactnet::bindings
