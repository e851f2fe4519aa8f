#include "convert.hpp"

#include <gmpy2.h>

#include <utility>

#include "exact/memory.hpp"

namespace exactnet::bindings {

namespace {

/// Loads gmpy2 when its first number is met, since that takes longer than all else in an import.
/// The GIL guards it.
void need_gmpy2() {
    static bool loaded = false;
    if (loaded) return;
    if (import_gmpy2() < 0) throw py::error_already_set();
    loaded = true;  // the check below comes here again
    // A gmpy2 newer than the header may differ: try both directions on numbers of several limbs.
    const py::module_ gmpy2 = py::module_::import("gmpy2");
    const py::object fraction = gmpy2.attr("mpq")("-123456789012345678901234567890/11");
    const py::object whole = gmpy2.attr("mpz")("-123456789012345678901234567890");
    const bool same =
        MPQ_Check(fraction.ptr()) && MPZ_Check(whole.ptr()) &&
        exact::to_string(to_rational(fraction)) == "-123456789012345678901234567890/11" &&
        to_mpq(to_rational(fraction)).equal(fraction) && to_mpz(to_integer(whole)).equal(whole);
    if (!same) {
        loaded = false;
        throw py::import_error(
            "exactnet was built for another layout of gmpy2's numbers: reinstall exactnet");
    }
}

/// Throws unless there is memory for a copy.
void expect(mpz_srcptr value) { exact::memory::expect(mpz_size(value) * sizeof(mp_limb_t)); }

}  // namespace

exact::Integer to_integer(py::handle mpz) {
    need_gmpy2();
    if (!MPZ_Check(mpz.ptr())) throw py::type_error("expected gmpy2.mpz");
    expect(MPZ(mpz.ptr()));
    exact::Integer value;
    mpz_set(value.get(), MPZ(mpz.ptr()));
    return value;
}

exact::Rational to_rational(py::handle mpq) {
    need_gmpy2();
    if (!MPQ_Check(mpq.ptr())) throw py::type_error("expected gmpy2.mpq");
    expect(mpq_numref(MPQ(mpq.ptr())));
    expect(mpq_denref(MPQ(mpq.ptr())));
    exact::Rational value;
    mpq_set(value.get(), MPQ(mpq.ptr()));
    return value;
}

py::object to_mpz(exact::Integer value) {
    need_gmpy2();
    exact::memory::check();
    MPZ_Object* object = GMPy_MPZ_New(nullptr);
    if (object == nullptr) throw py::error_already_set();
    mpz_swap(object->z, value.get());
    return py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(object));
}

py::object to_mpq(exact::Rational value) {
    need_gmpy2();
    exact::memory::check();
    MPQ_Object* object = GMPy_MPQ_New(nullptr);
    if (object == nullptr) throw py::error_already_set();
    mpq_swap(object->q, value.get());
    return py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(object));
}

namespace {

/// Gives signals and other Python threads their turn, every few milliseconds of a long list.
void take_turns(std::size_t k) {
    if ((k + 1) % 16384 != 0) return;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    const py::gil_scoped_release others;
}

template <class Value, class Convert>
std::vector<Value> from_list(const py::list& values, const Convert& convert) {
    exact::memory::renew();  // calls begin with their arguments
    std::vector<Value> result;
    result.reserve(values.size());
    for (const py::handle value : values) {
        result.push_back(convert(value));
        take_turns(result.size());
    }
    return result;
}

template <class Value, class Convert>
py::list to_list(std::vector<Value> values, const Convert& convert) {
    PyObject* list = PyList_New(static_cast<py::ssize_t>(values.size()));
    if (list == nullptr) throw py::error_already_set();  // of which pybind11 makes a RuntimeError
    const auto result = py::reinterpret_steal<py::list>(list);
    for (std::size_t k = 0; k < values.size(); ++k) {
        result[k] = convert(std::move(values[k]));
        take_turns(k);
    }
    return result;
}

}  // namespace

std::vector<exact::Integer> to_integers(const py::list& values) {
    return from_list<exact::Integer>(values, to_integer);
}

std::vector<exact::Rational> to_rationals(const py::list& values) {
    return from_list<exact::Rational>(values, to_rational);
}

py::list to_mpz_list(std::vector<exact::Integer> values) {
    return to_list(std::move(values), to_mpz);
}

py::list to_mpq_list(std::vector<exact::Rational> values) {
    return to_list(std::move(values), to_mpq);
}

}  // namespace exactnet::bindings
