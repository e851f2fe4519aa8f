// Evaluation in numbers of any length, along a line where there is one.
//
// 1. When all first-layer rows are multiples of one vector w, the network depends on t = w . x only
//    and is piecewise linear in t. Sorted by t, points that share an activation pattern are
//    neighbours, and on them every neuron is one affine function of t. Between neighbouring
//    patterns only the neurons that switch are added or taken away.
// 2. Which of the points a neuron is active at follows from one exact division per neuron and
//    pattern: its zero crossing.
//
// Without a common w every point is a range of its own, and every affine function a constant.
#pragma once

#include <cstddef>
#include <vector>

#include "base/monitor.hpp"
#include "evaluate.hpp"
#include "integer.hpp"
#include "prepared.hpp"

namespace exactnet::exact {

/// (slope t + offset) / denominator, denominator > 0.
struct Affine {
    Integer slope;
    Integer offset;
    Integer denominator = 1;
    std::size_t cancelled_bits = 0;  // of the denominator when last in lowest terms
};

/// What all threads read: the prepared layers, and the points in order of t.
struct Problem {
    std::vector<PreparedLayer> layers;
    std::vector<std::size_t> order;  // rows of the table
    std::vector<Integer> t;          // in that order; empty when there is no common direction
};

/// Walks a range of points through the layers; one per thread.
class Walker {
   public:
    Walker(const Problem& problem, base::Monitor& monitor, const OutputVisitor& visit);

    /// Points [begin, end), in their order, on which the pre-activations of layer `first` are `z`.
    void walk(std::size_t begin, std::size_t end, const std::vector<Affine>& z,
              std::size_t first = 0);

   private:
    struct Switch {
        std::size_t at;  // first point in the new state
        std::size_t neuron;
    };
    struct Level {
        std::size_t begin = 0, end = 0;  // the points of the current pattern of the layers below
        std::size_t from = 0;            // those before it are done
        std::size_t next_switch = 0;
        std::vector<char> active;
        std::size_t n_active = 0;
        std::vector<Switch> switches;
        std::vector<Affine> next;  // pre-activations of the next layer
    };

    void enter(std::size_t l, std::size_t begin, std::size_t end, const std::vector<Affine>& z);
    void switch_at(std::size_t l, std::size_t at, const std::vector<Affine>& z);
    void find_switches(std::size_t l, std::size_t begin, std::size_t end,
                       const std::vector<Affine>& z);
    void accumulate_active(std::size_t l, const std::vector<Affine>& z);
    void accumulate(std::size_t l, std::size_t i, const Affine& value, int sign);
    void emit(std::size_t begin, std::size_t end, const std::vector<Affine>& z);

    const Problem& problem_;
    base::Monitor& monitor_;
    const OutputVisitor& visit_;
    std::vector<Level> levels_;  // the path through the layers; networks may be deep
    std::vector<Quotient> outputs_;
};

}  // namespace exactnet::exact
