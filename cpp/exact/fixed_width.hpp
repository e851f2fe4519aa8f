// Evaluation in numbers of a fixed width, which bounds prove wide enough.
//
// The layers are integers (prepared.hpp), and so are all sums. For a block of points at a time, and
// for every layer, the largest magnitude of each input is known; the sums of |w| times these, plus
// |b|, bound the sums of the layer and all their parts, in any order. Below 2^53 float64 holds all
// of them, and products of matrices of floats are exact. Otherwise numbers are split into limbs of
// 52 bits, whose products add up in 128.
//
// The bound is computed in float64, too. None of its terms is negative and rounding is monotone: if
// it comes out below 2^53, none of its operations rounded. Else it need only tell a number of bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/monitor.hpp"
#include "integer.hpp"
#include "prepared.hpp"
#include "product.hpp"
#include "table.hpp"

namespace exactnet::exact {

/// The weights of a prepared layer in panels (see product.hpp).
struct FixedLayer {
    std::size_t inputs = 0;
    std::size_t outputs = 0;
    std::size_t n_panels = 0;
    bool relu = false;
    bool in_floats = false;   ///< all weights and biases are below 2^53
    std::size_t n_limbs = 0;  ///< of a weight
    std::size_t n_bias_limbs = 0;
    std::vector<double> weights;           // rounded towards 0
    std::vector<double> biases;            // (padded outputs,), rounded towards 0
    std::vector<std::int64_t> limbs;       // (n_limbs, panels)
    std::vector<char> limb_used;           // (n_limbs, inputs): whether any weight has it
    std::vector<std::int64_t> bias_limbs;  // (n_bias_limbs, padded outputs)
};

/// The first layers, as many as are `fixed` and have numbers of few limbs.
std::vector<FixedLayer> fix_width(std::span<const PreparedLayer> layers, base::Monitor& monitor);

/// Evaluates blocks of points; one per thread.
class FixedWidth {
   public:
    /// Points come from `table`. Without `add_product`, floats are not used.
    FixedWidth(std::span<const FixedLayer> layers, const Table& table, AddProduct add_product,
               base::Monitor& monitor);

    /// The most rows of a block.
    std::size_t block_rows() const { return block_rows_; }

    /// Evaluates rows begin ... begin + n_rows - 1 in as many layers as have sums of few limbs, and
    /// returns how many those are.
    std::size_t evaluate(std::size_t begin, std::size_t n_rows);

    /// The sum of unit k of the last of those layers at row begin + r, before its activation.
    void get(std::size_t r, std::size_t k, Integer& value) const;

    /// How many layers of the last block were evaluated in floats.
    std::size_t layers_in_floats() const { return layers_in_floats_; }

   private:
    std::size_t at(std::size_t r, std::size_t k) const {
        return (k / panel * n_rows_ + r) * panel + k % panel;
    }
    bool load(std::size_t begin);
    void load_limbs(std::size_t begin);
    void find_highest(bool relu);
    double bound(const FixedLayer& layer);
    void gather(std::size_t begin, std::size_t end, bool relu, std::size_t n_limbs,
                const char* used);
    void multiply_floats(const FixedLayer& layer, bool relu);
    void multiply_limbs(const FixedLayer& layer, bool relu, std::size_t n_input_limbs,
                        std::size_t n_limbs);

    std::span<const FixedLayer> layers_;
    const Table& table_;
    AddProduct add_product_;
    base::Monitor& monitor_;
    std::size_t block_rows_ = 0;
    std::size_t layers_in_floats_ = 0;

    // The numbers that the next layer takes, of n_rows_ points, in panels.
    std::size_t n_rows_ = 0;
    std::size_t n_units_ = 0;
    std::size_t n_limbs_ = 0;          // 0: `numbers_` are exact
    std::vector<double> numbers_;      // rounded; of the right sign
    std::vector<std::int64_t> limbs_;  // (n_limbs_, panels)
    std::vector<double> highest_;      // of every unit, the largest |number| of the block
    std::vector<double> next_numbers_;

    // Those of them that are not 0, of some units.
    std::vector<std::uint32_t> offsets_;
    std::vector<std::uint32_t> columns_;
    std::vector<double> values_;
    std::vector<std::int64_t> limb_values_;  // a plane for every limb
    std::vector<__int128> sums_;             // a plane for every power of 2^52
};

}  // namespace exactnet::exact
