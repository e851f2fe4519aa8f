// The layers of a network with their denominators taken out: what evaluation computes with.
#pragma once

#include <vector>

#include "base/monitor.hpp"
#include "integer.hpp"
#include "network.hpp"
#include "table.hpp"

namespace exactnet::exact {

/// A layer with, if `fixed`, integer rows over one denominator each. The inputs of such a layer are
/// the values of the layer before times that layer's denominators.
struct PreparedLayer {
    const Layer* layer = nullptr;
    bool fixed = false;
    std::vector<Integer> numerators;    // (outputs, inputs)
    std::vector<Integer> biases;        // (outputs,)
    std::vector<Integer> denominators;  // (outputs,)
};

/// The first layer takes the numerators of `points`. The network must outlive the result.
std::vector<PreparedLayer> prepare(const Network& network, const Table& points,
                                   base::Monitor& monitor);

}  // namespace exactnet::exact
