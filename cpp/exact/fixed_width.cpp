#include "fixed_width.hpp"

#include <algorithm>
#include <cmath>

namespace exactnet::exact {
namespace {

constexpr int limb_bits = 52;
constexpr std::int64_t limb_mask = (std::int64_t{1} << limb_bits) - 1;
constexpr double float_limit = 9007199254740992.0;  // 2^53

// A product of longer numbers is faster in GMP, which also splits it better.
constexpr std::size_t most_limbs = 16;          // of a weight or an input
constexpr std::size_t most_limb_products = 32;  // of a weight with an input
// Limbs are at most 2^53: so many products of two, and a carry, stay below 2^127.
constexpr std::size_t most_terms = std::size_t{1} << 20;

// So many inputs at a time: their weights in 4 panels, or of a limb in one, stay in the cache.
constexpr std::size_t input_block = 96, limb_block = 192;
constexpr std::size_t most_block_rows = 128;

/// Limbs of numbers below 2^bits, the highest with their sign.
std::size_t limbs_for(std::size_t bits) { return bits / limb_bits + 1; }

static_assert(GMP_NUMB_BITS == 64 && sizeof(mp_limb_t) == 8);

/// Writes n limbs of a number, all with its sign, `stride` apart.
void split(const Integer& value, std::size_t n, std::size_t stride, std::int64_t* limbs) {
    const auto n_words = static_cast<std::ptrdiff_t>(mpz_size(value.get()));
    const auto word = [&](std::ptrdiff_t w) {
        return w < n_words ? std::uint64_t{mpz_getlimbn(value.get(), w)} : 0;
    };
    for (std::size_t a = 0; a < n; ++a) {
        const std::size_t bit = a * limb_bits;
        const auto w = static_cast<std::ptrdiff_t>(bit / 64);
        std::uint64_t magnitude = word(w) >> bit % 64;
        if (bit % 64 > 64 - limb_bits) magnitude |= word(w + 1) << (64 - bit % 64);
        const auto limb = static_cast<std::int64_t>(magnitude) & limb_mask;
        limbs[a * stride] = value.sign() < 0 ? -limb : limb;
    }
}

FixedLayer fix_width(const PreparedLayer& prepared, base::Monitor& monitor) {
    FixedLayer layer;
    layer.inputs = prepared.layer->inputs;
    layer.outputs = prepared.layer->outputs;
    layer.n_panels = (layer.outputs + panel - 1) / panel;
    layer.relu = prepared.layer->activation == Activation::relu;
    std::size_t bits = 0, bias_bits = 0;
    for (const Integer& weight : prepared.numerators) bits = std::max(bits, weight.bits());
    for (const Integer& bias : prepared.biases) bias_bits = std::max(bias_bits, bias.bits());
    layer.in_floats = std::max(bits, bias_bits) <= 53;
    layer.n_limbs = limbs_for(bits);
    layer.n_bias_limbs = limbs_for(bias_bits);
    if (layer.n_limbs > most_limbs || layer.n_bias_limbs > most_limbs) {
        layer.n_limbs = 0;
        return layer;
    }
    const std::size_t padded = layer.n_panels * panel, size = padded * layer.inputs;
    layer.weights.resize(size);
    layer.limbs.resize(size * layer.n_limbs);
    layer.limb_used.resize(layer.inputs * layer.n_limbs);
    layer.biases.resize(padded);
    layer.bias_limbs.resize(padded * layer.n_bias_limbs);
    for (std::size_t k = 0; k < layer.outputs; ++k) {
        monitor.step(0);
        for (std::size_t i = 0; i < layer.inputs; ++i) {
            const Integer& weight = prepared.numerators[k * layer.inputs + i];
            const std::size_t at = (k / panel * layer.inputs + i) * panel + k % panel;
            layer.weights[at] = mpz_get_d(weight.get());
            split(weight, layer.n_limbs, size, &layer.limbs[at]);
            for (std::size_t b = 0; b < layer.n_limbs; ++b) {
                if (layer.limbs[b * size + at] != 0) layer.limb_used[b * layer.inputs + i] = 1;
            }
        }
        layer.biases[k] = mpz_get_d(prepared.biases[k].get());
        split(prepared.biases[k], layer.n_bias_limbs, padded, &layer.bias_limbs[k]);
    }
    return layer;
}

/// sums (rows, panels) += entries times weights, as AddProduct, of one limb each. Two units at a
/// time: more sums than that do not fit into the registers of x86-64.
void add_limb_product(const SparseRows& inputs, const std::int64_t* values,
                      const std::int64_t* weights, std::size_t weight_stride, std::size_t n_panels,
                      __int128* sums, std::size_t sum_stride) {
    for (std::size_t p = 0; p < n_panels; ++p) {
        for (std::size_t r = 0; r < inputs.rows; ++r) {
            const std::size_t begin = inputs.offsets[r], end = inputs.offsets[r + 1];
            for (std::size_t k = 0; k < panel; k += 2) {
                __int128* const sum = sums + p * sum_stride + r * panel + k;
                const std::int64_t* const from = weights + p * weight_stride + k;
                __int128 first = sum[0], second = sum[1];
                for (std::size_t e = begin; e < end; ++e) {
                    const __int128 x = values[e];
                    const std::int64_t* const w = from + inputs.columns[e];
                    first += x * w[0];
                    second += x * w[1];
                }
                sum[0] = first;
                sum[1] = second;
            }
        }
    }
}

}  // namespace

std::vector<FixedLayer> fix_width(std::span<const PreparedLayer> layers, base::Monitor& monitor) {
    std::vector<FixedLayer> result;
    for (const PreparedLayer& layer : layers) {
        if (!layer.fixed) break;
        result.push_back(fix_width(layer, monitor));
        if (result.back().n_limbs == 0) {
            result.pop_back();
            break;
        }
    }
    return result;
}

FixedWidth::FixedWidth(std::span<const FixedLayer> layers, const Table& table,
                       AddProduct add_product, base::Monitor& monitor)
    : layers_(layers), table_(table), add_product_(add_product), monitor_(monitor) {
    std::size_t widest = table.cols;
    for (const FixedLayer& layer : layers) widest = std::max(widest, layer.outputs);
    block_rows_ = std::clamp((std::size_t{1} << 17) / widest, std::size_t{1}, most_block_rows);
}

std::size_t FixedWidth::evaluate(std::size_t begin, std::size_t n_rows) {
    n_rows_ = n_rows;
    layers_in_floats_ = 0;
    if (layers_.empty() || !load(begin)) return 0;
    bool relu = false;  // of the layer before
    for (std::size_t l = 0; l < layers_.size(); ++l) {
        const FixedLayer& layer = layers_[l];
        find_highest(relu);
        const bool exact = *std::max_element(highest_.begin(), highest_.end()) < float_limit;
        if (exact) {
            n_limbs_ = 0;
        } else if (l == 0) {
            load_limbs(begin);
        }
        const double most = bound(layer);
        if (exact && layer.in_floats && most < float_limit && add_product_ != nullptr) {
            multiply_floats(layer, relu);
            ++layers_in_floats_;
        } else {
            // Twice as much as most is more than enough for what was rounded.
            if (!(most < 0x1p900)) return l;
            const std::size_t n_limbs =
                limbs_for(static_cast<std::size_t>(std::max(0, std::ilogb(2 * most) + 1)));
            const std::size_t n_input_limbs = exact ? 1 : n_limbs_;
            if (n_input_limbs * layer.n_limbs > most_limb_products ||
                layer.inputs * std::min(n_input_limbs, layer.n_limbs) > most_terms) {
                return l;
            }
            multiply_limbs(layer, relu, n_input_limbs, n_limbs);
        }
        relu = layer.relu;
    }
    return layers_.size();
}

void FixedWidth::get(std::size_t r, std::size_t k, Integer& value) const {
    if (n_limbs_ == 0) {
        mpz_set_d(value.get(), numbers_[at(r, k)]);
        return;
    }
    const std::size_t plane = limbs_.size() / n_limbs_;
    const std::int64_t* limb = &limbs_[at(r, k)];
    mpz_set_si(value.get(), limb[(n_limbs_ - 1) * plane]);
    for (std::size_t a = n_limbs_ - 1; a-- > 0;) {
        mpz_mul_2exp(value.get(), value.get(), limb_bits);
        mpz_add_ui(value.get(), value.get(), static_cast<unsigned long>(limb[a * plane]));
    }
}

/// Takes the points; false if one has a number that is too long.
bool FixedWidth::load(std::size_t begin) {
    n_units_ = table_.cols;
    n_limbs_ = 0;
    numbers_.resize((n_units_ + panel - 1) / panel * n_rows_ * panel);
    for (std::size_t r = 0; r < n_rows_; ++r) {
        const std::size_t row = (begin + r) * n_units_;
        for (std::size_t i = 0; i < n_units_; ++i) {
            if (table_.is_small()) {
                numbers_[at(r, i)] = static_cast<double>(table_.small[row + i]);
                continue;
            }
            const Integer& value = table_.big[row + i];
            if (value.bits() > most_limbs * limb_bits - 1) return false;
            numbers_[at(r, i)] = mpz_get_d(value.get());
        }
        monitor_.step(0);
    }
    return true;
}

void FixedWidth::load_limbs(std::size_t begin) {
    std::size_t bits = 64;
    if (!table_.is_small()) {
        for (std::size_t e = begin * n_units_; e < (begin + n_rows_) * n_units_; ++e) {
            bits = std::max(bits, table_.big[e].bits());
        }
    }
    n_limbs_ = limbs_for(bits);
    const std::size_t plane = numbers_.size();
    limbs_.resize(n_limbs_ * plane);
    for (std::size_t r = 0; r < n_rows_; ++r) {
        const std::size_t row = (begin + r) * n_units_;
        for (std::size_t i = 0; i < n_units_; ++i) {
            std::int64_t* const limb = &limbs_[at(r, i)];
            if (table_.is_small()) {
                limb[0] = table_.small[row + i] & limb_mask;
                limb[plane] = table_.small[row + i] >> limb_bits;
            } else {
                split(table_.big[row + i], n_limbs_, plane, limb);
            }
        }
        monitor_.step(0);
    }
}

void FixedWidth::find_highest(bool relu) {
    highest_.assign((n_units_ + panel - 1) / panel * panel, 0.0);
    for (std::size_t p = 0; p * panel < n_units_; ++p) {
        double* const highest = &highest_[p * panel];
        const double* number = &numbers_[p * panel * n_rows_];
        for (std::size_t r = 0; r < n_rows_; ++r, number += panel) {
            for (std::size_t j = 0; j < panel; ++j) {
                highest[j] = std::max(highest[j], relu ? number[j] : std::abs(number[j]));
            }
        }
    }
    std::fill(highest_.begin() + static_cast<std::ptrdiff_t>(n_units_), highest_.end(), 0.0);
}

/// The largest sum |w| highest + |b|; see the head of fixed_width.hpp.
double FixedWidth::bound(const FixedLayer& layer) {
    double most = 0;
    for (std::size_t p = 0; p < layer.n_panels; ++p) {
        double sum[panel];
        for (std::size_t j = 0; j < panel; ++j) sum[j] = std::abs(layer.biases[p * panel + j]);
        const double* weight = &layer.weights[p * layer.inputs * panel];
        for (std::size_t i = 0; i < layer.inputs; ++i, weight += panel) {
            if (highest_[i] == 0) continue;
            for (std::size_t j = 0; j < panel; ++j) sum[j] += std::abs(weight[j]) * highest_[i];
        }
        most = std::max(most, *std::max_element(sum, sum + panel));
        monitor_.step(0);
    }
    return most;
}

/// Lists the numbers of units begin ... end - 1 that are not 0, of `n_limbs` limbs; 0: as floats.
/// If `used` is not null, only of units where it is not 0.
void FixedWidth::gather(std::size_t begin, std::size_t end, bool relu, std::size_t n_limbs,
                        const char* used) {
    const std::size_t most = n_rows_ * (end - begin), plane = numbers_.size();
    offsets_.resize(n_rows_ + 1);
    columns_.resize(most);
    values_.resize(most);
    limb_values_.resize(most * n_limbs);
    std::size_t n = 0;
    for (std::size_t r = 0; r < n_rows_; ++r) {
        offsets_[r] = static_cast<std::uint32_t>(n);
        for (std::size_t i = begin; i < end; ++i) {
            const std::size_t from = at(r, i);
            const double number = relu ? std::max(numbers_[from], 0.0) : numbers_[from];
            // written before it is known whether it counts: no branch that is hard to predict
            columns_[n] = static_cast<std::uint32_t>((i - begin) * panel);
            if (n_limbs == 0) {
                values_[n] = number;
            } else if (n_limbs_ == 0) {
                limb_values_[n] = static_cast<std::int64_t>(number);
            } else {
                for (std::size_t a = 0; a < n_limbs; ++a) {
                    limb_values_[a * most + n] = limbs_[a * plane + from];
                }
            }
            n += number != 0 && (used == nullptr || used[i] != 0) ? 1 : 0;
        }
    }
    offsets_[n_rows_] = static_cast<std::uint32_t>(n);
}

void FixedWidth::multiply_floats(const FixedLayer& layer, bool relu) {
    next_numbers_.resize(layer.n_panels * n_rows_ * panel);
    for (std::size_t p = 0; p < layer.n_panels; ++p) {
        double* sum = &next_numbers_[p * n_rows_ * panel];
        for (std::size_t r = 0; r < n_rows_; ++r, sum += panel) {
            std::copy_n(&layer.biases[p * panel], panel, sum);
        }
    }
    for (std::size_t i = 0; i < layer.inputs; i += input_block) {
        gather(i, std::min(i + input_block, layer.inputs), relu, 0, nullptr);
        add_product_({n_rows_, offsets_.data(), columns_.data()}, values_.data(),
                     &layer.weights[i * panel], layer.inputs * panel, layer.n_panels,
                     next_numbers_.data(), n_rows_ * panel);
        monitor_.step(0);
    }
    numbers_.swap(next_numbers_);
    n_units_ = layer.outputs;
    n_limbs_ = 0;
}

/// Sums of `n_limbs` limbs.
void FixedWidth::multiply_limbs(const FixedLayer& layer, bool relu, std::size_t n_input_limbs,
                                std::size_t n_limbs) {
    const std::size_t plane = layer.n_panels * n_rows_ * panel;
    const std::size_t n_powers = n_input_limbs + layer.n_limbs - 1;
    const std::size_t weight_plane = layer.n_panels * layer.inputs * panel;
    sums_.assign(n_powers * plane, 0);
    for (std::size_t i = 0; i < layer.inputs; i += limb_block) {
        const std::size_t end = std::min(i + limb_block, layer.inputs);
        for (std::size_t b = 0; b < layer.n_limbs; ++b) {
            gather(i, end, relu, n_input_limbs, &layer.limb_used[b * layer.inputs]);
            for (std::size_t a = 0; a < n_input_limbs; ++a) {
                add_limb_product({n_rows_, offsets_.data(), columns_.data()},
                                 &limb_values_[a * n_rows_ * (end - i)],
                                 &layer.limbs[b * weight_plane + i * panel], layer.inputs * panel,
                                 layer.n_panels, &sums_[(a + b) * plane], n_rows_ * panel);
                monitor_.step(0);
            }
        }
    }
    numbers_.resize(plane);
    limbs_.resize(n_limbs * plane);
    for (std::size_t e = 0; e < plane; ++e) {
        if (e % (n_rows_ * panel) == 0) monitor_.step(0);
        const std::size_t k = e / (n_rows_ * panel) * panel + e % panel;
        // What is above the last limb only repeats its sign: it counts modulo 2^64.
        __int128 carry = 0;
        double number = 0;
        for (std::size_t a = 0; a < n_limbs; ++a) {
            if (a < n_powers) carry += sums_[a * plane + e];
            if (a < layer.n_bias_limbs) carry += layer.bias_limbs[a * layer.n_panels * panel + k];
            if (a + 1 == n_limbs) {
                auto top = static_cast<std::uint64_t>(carry);
                if (n_limbs < n_powers) {
                    top += static_cast<std::uint64_t>(sums_[n_limbs * plane + e]) << limb_bits;
                }
                limbs_[a * plane + e] = static_cast<std::int64_t>(top);
            } else {
                limbs_[a * plane + e] = static_cast<std::int64_t>(carry) & limb_mask;
                carry >>= limb_bits;
            }
        }
        // From the highest limb: as a number of the right sign and not 0 unless it is.
        for (std::size_t a = n_limbs; a-- > 0;) {
            number = number * 0x1p52 + static_cast<double>(limbs_[a * plane + e]);
        }
        numbers_[e] = number;
    }
    n_units_ = layer.outputs;
    n_limbs_ = n_limbs;
}

}  // namespace exactnet::exact
