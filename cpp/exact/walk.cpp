#include "walk.hpp"

#include <algorithm>
#include <span>

namespace exactnet::exact {
namespace {

/// Divides by what all three numbers and `divisor` have in common.
void cancel(Affine& value, const Integer& divisor) {
    const Integer common = gcd(gcd(divisor, value.slope), value.offset);
    if (common.is_one()) return;
    value.slope = exact_div(value.slope, common);
    value.offset = exact_div(value.offset, common);
    value.denominator = exact_div(value.denominator, common);
}

/// sum += sign * weight * value. Lowest terms would cost two long gcds for each of millions of
/// additions, so the sum is cancelled only where that shortens it: denominators that extend one
/// another (the second layer of a construction) leave next to nothing to cancel, those that
/// alternate (its output layer, whose sum telescopes) cancel as Knuth's TAOCP 4.5.1 has it.
void add_product(Affine& sum, const Rational& weight, const Affine& value, int sign) {
    Affine term{value.slope, value.offset, value.denominator};
    mpz_mul(term.slope.get(), term.slope.get(), weight.num());
    mpz_mul(term.offset.get(), term.offset.get(), weight.num());
    mpz_mul(term.denominator.get(), term.denominator.get(), weight.den());

    const Integer g = gcd(sum.denominator, term.denominator);
    const Integer u = exact_div(term.denominator, g), v = exact_div(sum.denominator, g);
    const auto combine = [&](Integer& into, const Integer& from) {
        into *= u;
        (sign > 0 ? mpz_addmul : mpz_submul)(into.get(), from.get(), v.get());
    };
    combine(sum.slope, term.slope);
    combine(sum.offset, term.offset);
    sum.denominator *= u;
    // Were both in lowest terms, only factors of g could be common to the result.
    if (u.bits() > 128) cancel(sum, g);
    // They need not be; what that leaves behind is cleared whenever it may have doubled the length.
    if (sum.denominator.bits() > 2 * sum.cancelled_bits + 128) {
        cancel(sum, sum.denominator);
        sum.cancelled_bits = sum.denominator.bits();
    }
}
}  // namespace

Walker::Walker(const Problem& problem, base::Monitor& monitor, const OutputVisitor& visit)
    : problem_(problem),
      monitor_(monitor),
      visit_(visit),
      levels_(problem.layers.size()),
      outputs_(problem.layers.back().layer->outputs) {}

void Walker::walk(std::size_t begin, std::size_t end, const std::vector<Affine>& z,
                  std::size_t first) {
    const std::size_t n_layers = problem_.layers.size();
    if (first + 1 == n_layers) return emit(begin, end, z);
    enter(first, begin, end, z);
    for (std::size_t l = first;;) {
        Level& level = levels_[l];
        if (level.from == level.end) {
            if (l == first) return;
            --l;
            continue;
        }
        const std::size_t from = level.from;
        if (from != level.begin) switch_at(l, from, l == first ? z : levels_[l - 1].next);
        level.from = level.next_switch < level.switches.size()
                         ? level.switches[level.next_switch].at
                         : level.end;
        if (l + 2 == n_layers) {
            emit(from, level.from, level.next);
        } else {
            enter(l + 1, from, level.from, level.next);
            ++l;
        }
    }
}

void Walker::enter(std::size_t l, std::size_t begin, std::size_t end,
                   const std::vector<Affine>& z) {
    Level& level = levels_[l];
    level.begin = level.from = begin;
    level.end = end;
    level.next_switch = 0;
    find_switches(l, begin, end, z);
    accumulate_active(l, z);
}

/// Brings `next` of layer `l` to the pattern that begins at point `at`.
void Walker::switch_at(std::size_t l, std::size_t at, const std::vector<Affine>& z) {
    Level& level = levels_[l];
    const std::size_t first = level.next_switch;
    std::size_t last = first, still_active = level.n_active;
    for (; last < level.switches.size() && level.switches[last].at == at; ++last) {
        level.active[level.switches[last].neuron] != 0 ? --still_active : ++still_active;
    }
    const bool update = last - first <= still_active;
    for (std::size_t k = first; k < last; ++k) {
        const std::size_t neuron = level.switches[k].neuron;
        const bool on = level.active[neuron] == 0;
        level.active[neuron] = on ? 1 : 0;
        if (update) accumulate(l, neuron, z[neuron], on ? 1 : -1);
    }
    level.n_active = still_active;
    level.next_switch = last;
    if (!update) accumulate_active(l, z);
}

/// Which neurons of layer `l` are active at point `begin`, and where that changes.
void Walker::find_switches(std::size_t l, std::size_t begin, std::size_t end,
                           const std::vector<Affine>& z) {
    Level& level = levels_[l];
    level.active.assign(z.size(), 1);
    level.switches.clear();
    const bool relu = problem_.layers[l].layer->activation == Activation::relu;
    for (std::size_t i = 0; relu && i < z.size(); ++i) {
        monitor_.step(0);
        const int direction = z[i].slope.sign();
        if (direction == 0) {
            level.active[i] = z[i].offset.sign() > 0 ? 1 : 0;
            continue;
        }
        // Positive where t > crossing (rising) or t < crossing (falling), t an integer.
        const Integer first = direction > 0 ? floor_div(-z[i].offset, z[i].slope) + Integer(1)
                                            : ceil_div(-z[i].offset, z[i].slope);
        const auto range = problem_.t.begin();
        const auto at = static_cast<std::size_t>(
            std::lower_bound(range + static_cast<std::ptrdiff_t>(begin),
                             range + static_cast<std::ptrdiff_t>(end), first) -
            range);
        level.active[i] = (direction > 0 ? at == begin : at > begin) ? 1 : 0;
        if (at > begin && at < end) level.switches.push_back({at, i});
    }
    level.n_active =
        static_cast<std::size_t>(std::count(level.active.begin(), level.active.end(), 1));
    std::sort(level.switches.begin(), level.switches.end(),
              [](const Switch& a, const Switch& b) { return a.at < b.at; });
}

/// next = bias + the contributions of all active neurons of layer `l`.
void Walker::accumulate_active(std::size_t l, const std::vector<Affine>& z) {
    const PreparedLayer& to = problem_.layers[l + 1];
    std::vector<Affine>& next = levels_[l].next;
    next.resize(to.layer->outputs);
    for (std::size_t k = 0; k < next.size(); ++k) {
        next[k].slope = 0;
        next[k].offset = to.fixed ? to.biases[k] : to.layer->biases[k].numerator();
        next[k].denominator = to.fixed ? to.denominators[k] : to.layer->biases[k].denominator();
        next[k].cancelled_bits = next[k].denominator.bits();
    }
    for (std::size_t i = 0; i < z.size(); ++i) {
        if (levels_[l].active[i] != 0) accumulate(l, i, z[i], 1);
    }
}

/// next += sign * column `i` of layer l + 1 times the value of neuron `i` of layer `l`.
void Walker::accumulate(std::size_t l, std::size_t i, const Affine& value, int sign) {
    const PreparedLayer& to = problem_.layers[l + 1];
    std::vector<Affine>& next = levels_[l].next;
    const auto add = sign > 0 ? mpz_addmul : mpz_submul;
    monitor_.step(0);
    for (std::size_t k = 0; k < next.size(); ++k) {
        if (to.fixed) {
            const Integer& weight = to.numerators[k * to.layer->inputs + i];
            if (weight.sign() == 0) continue;
            add(next[k].slope.get(), weight.get(), value.slope.get());
            add(next[k].offset.get(), weight.get(), value.offset.get());
        } else {
            const Rational& weight = to.layer->weight(k, i);
            if (weight.sign() == 0) continue;
            monitor_.step(0);
            add_product(next[k], weight, value, sign);
        }
    }
}

void Walker::emit(std::size_t begin, std::size_t end, const std::vector<Affine>& z) {
    const bool relu = problem_.layers.back().layer->activation == Activation::relu;
    for (std::size_t p = begin; p < end; ++p) {
        for (std::size_t k = 0; k < z.size(); ++k) {
            Quotient& output = outputs_[k];
            output.numerator = z[k].offset;
            if (z[k].slope.sign() != 0) {
                mpz_addmul(output.numerator.get(), z[k].slope.get(), problem_.t[p].get());
            }
            if (relu && output.numerator.sign() < 0) output.numerator = 0;
            output.denominator = z[k].denominator;
        }
        visit_(problem_.order[p], outputs_);
        monitor_.step();
    }
}

}  // namespace exactnet::exact
