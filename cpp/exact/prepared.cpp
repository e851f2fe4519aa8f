#include "prepared.hpp"

#include <cstddef>
#include <span>
#include <utility>

namespace exactnet::exact {
namespace {

void extend_lcm(Integer& common, mpz_srcptr denominator) {
    if (mpz_divisible_p(common.get(), denominator) == 0) {
        mpz_lcm(common.get(), common.get(), denominator);
    }
}

/// Divides by the same number again and again.
class Divider {
   public:
    explicit Divider(const Integer& divisor)
        : divisor_(divisor),
          is_one_(divisor.is_one()),
          shift_(mpz_popcount(divisor.get()) == 1 ? mpz_scan1(divisor.get(), 0) : 0) {}

    void operator()(Rational& value) const {
        if (is_one_) return;
        if (shift_ != 0) {
            mpq_div_2exp(value.get(), value.get(), shift_);
        } else {
            value /= divisor_;
        }
    }

   private:
    Rational divisor_;
    bool is_one_;
    mp_bitcnt_t shift_;  // of a power of two, else 0
};

/// Puts a layer over one denominator per row, after dividing column i by `column_divisors[i]`.
/// `check_growth`: give up (fixed = false) when a row's common denominator is much longer than the
/// denominators of its weights are on average, because then most sums can do with a shorter one.
PreparedLayer prepare(const Layer& layer, std::span<const Integer> column_divisors,
                      bool check_growth, base::Monitor& monitor) {
    PreparedLayer prepared;
    prepared.layer = &layer;
    prepared.numerators.reserve(layer.weights.size());
    const std::vector<Divider> dividers(column_divisors.begin(), column_divisors.end());
    std::vector<Rational> row(layer.inputs);
    std::size_t n_turns = 0;
    const auto turn = [&] {
        if (++n_turns % 16 == 0) monitor.step(0);
    };
    for (std::size_t k = 0; k < layer.outputs; ++k) {
        std::size_t own_bits = 0, n_terms = 0;  // of the weights' own denominators
        for (std::size_t i = 0; i < layer.inputs; ++i) {
            row[i] = layer.weight(k, i);
            if (row[i].sign() == 0) continue;
            dividers[i](row[i]);
            own_bits += mpz_sizeinbase(row[i].den(), 2);
            ++n_terms;
            turn();
        }
        Integer common = layer.biases[k].denominator();
        for (std::size_t i = 0; i < layer.inputs; ++i) {
            if (row[i].sign() != 0) extend_lcm(common, row[i].den());
            if (check_growth && 2 * n_terms * common.bits() > 3 * own_bits + 128 * n_terms) {
                prepared.numerators.clear();
                return prepared;
            }
            turn();
        }
        Integer factor;
        const auto scale = [&](mpz_srcptr numerator, mpz_srcptr denominator) {
            Integer scaled;
            if (mpz_cmp(common.get(), denominator) == 0) {
                mpz_set(scaled.get(), numerator);
            } else {
                mpz_divexact(factor.get(), common.get(), denominator);
                mpz_mul(scaled.get(), factor.get(), numerator);
            }
            return scaled;
        };
        for (const Rational& value : row) {
            prepared.numerators.push_back(value.sign() == 0 ? Integer()
                                                            : scale(value.num(), value.den()));
        }
        prepared.biases.push_back(scale(layer.biases[k].num(), layer.biases[k].den()));
        prepared.denominators.push_back(std::move(common));
    }
    prepared.fixed = true;
    return prepared;
}

}  // namespace

std::vector<PreparedLayer> prepare(const Network& network, const Table& points,
                                   base::Monitor& monitor) {
    std::vector<PreparedLayer> layers;
    layers.push_back(prepare(network[0], points.denominators, false, monitor));
    for (std::size_t l = 1; l < network.size(); ++l) {
        if (layers.back().fixed) {
            layers.push_back(prepare(network[l], layers.back().denominators, true, monitor));
        } else {
            layers.push_back({&network[l], false, {}, {}, {}});
        }
    }
    return layers;
}

}  // namespace exactnet::exact
