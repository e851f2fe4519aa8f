#include "monitor.hpp"

namespace exactnet::bindings {

base::Monitor make_monitor(const py::object& progress, const std::atomic<bool>* no_memory) {
    // The caller's argument keeps `progress` alive for as long as the monitor is used.
    const auto callback = [progress = progress.ptr()](double share) {
        const py::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        const py::handle call(progress);
        if (!call.is_none()) call(share);
    };
    return base::Monitor(callback, no_memory);
}

}  // namespace exactnet::bindings
