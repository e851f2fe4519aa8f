// A feed-forward network of rational parameters, of any depth.
#pragma once

#include <cstddef>
#include <vector>

#include "integer.hpp"

namespace exactnet::exact {

enum class Activation { linear, relu };

/// activation(W x + b) with W (outputs, inputs), row-major, and b (outputs,).
struct Layer {
    std::size_t outputs = 0;
    std::size_t inputs = 0;
    std::vector<Rational> weights;
    std::vector<Rational> biases;
    Activation activation = Activation::linear;

    const Rational& weight(std::size_t out, std::size_t in) const {
        return weights[out * inputs + in];
    }
};

using Network = std::vector<Layer>;

}  // namespace exactnet::exact
