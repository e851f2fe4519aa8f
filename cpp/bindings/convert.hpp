// What crosses the border between Python and the exact half: gmpy2 numbers, tables, networks.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <vector>

#include "exact/integer.hpp"
#include "exact/network.hpp"
#include "exact/table.hpp"

namespace exactnet::bindings {

namespace py = pybind11;

// Values from gmpy2 are copied limb by limb, values for it hand over their limbs, for both allocate
// by the same functions; no object is shared. Throw py::type_error for anything but an mpz or an
// mpq, and ImportError if the gmpy2 found at run time lays its numbers out differently from the
// header of the build.
exact::Integer to_integer(py::handle mpz);
exact::Rational to_rational(py::handle mpq);
py::object to_mpz(exact::Integer value);
py::object to_mpq(exact::Rational value);

std::vector<exact::Integer> to_integers(const py::list& values);
std::vector<exact::Rational> to_rationals(const py::list& values);
py::list to_mpz_list(std::vector<exact::Integer> values);
py::list to_mpq_list(std::vector<exact::Rational> values);

/// A table together with the NumPy array whose memory it borrows.
struct OwnedTable {
    exact::Table table;
    py::object keep_alive;
};

}  // namespace exactnet::bindings
