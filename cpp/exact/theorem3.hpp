// Inoue's Theorem 3: N <= a1 a2 points with one output, reproduced without error by a ReLU network
// with hidden widths a1 and a2. The derivation is in docs/construction.md.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/monitor.hpp"
#include "integer.hpp"

namespace exactnet::exact {

enum class Scale {
    least,       ///< the least admissible constants: small parameters, independent columns
    worst_case,  ///< the constants of the article's proof, and so its printed parameters
};

/// output = output_bias + sum_j output_weights[j] ReLU(biases[j]
///          + sum_i weights[j * blocks + i] ReLU(t - breakpoints[i]))
struct Theorem3 {
    std::size_t blocks = 0;  ///< first-layer units in use, <= a1
    std::size_t depth = 0;   ///< second-layer units in use, <= a2
    std::vector<Rational> breakpoints;
    std::vector<Rational> weights;
    std::vector<Rational> biases;
    std::vector<Rational> output_weights;
    Rational output_bias;
};

/// Builds the parameters for distinct `t` and every component of the targets, all on the same
/// breakpoints, as the groups of Theorem 4 are.
/// Throws std::invalid_argument unless 1 <= t.size() == components[l].size() <= a1 * a2 and all t
/// differ.
std::vector<Theorem3> construct_theorem3(std::span<const Rational> t,
                                         std::span<const std::vector<Rational>> components,
                                         std::size_t a1, std::size_t a2, Scale scale,
                                         std::size_t n_threads, base::Monitor& monitor);

/// Bytes of all numerators and denominators of `construct_theorem3`'s result, estimated from the
/// gaps between the t without building anything.
double predict_theorem3_bytes(std::span<const Rational> t, std::span<const Rational> y,
                              std::size_t a1, std::size_t a2, Scale scale, base::Monitor& monitor);

}  // namespace exactnet::exact
