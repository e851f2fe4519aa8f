#include "verify.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <span>
#include <stdexcept>

#include "evaluate.hpp"

namespace exactnet::exact {

Report verify(const Network& network, const Table& points, const Table& targets,
              std::size_t n_threads, base::Monitor& monitor) {
    if (targets.rows != points.rows || network.empty() || targets.cols != network.back().outputs) {
        throw std::invalid_argument("verify: targets must be (points, outputs)");
    }
    Report report;
    report.n_points = points.rows;
    std::mutex mutex;
    std::atomic<std::size_t> n_checked{0};
    evaluate(network, points, n_threads, monitor,
             [&](std::size_t row, std::span<const Quotient> outputs) {
                 Rational worst;
                 for (std::size_t k = 0; k < outputs.size(); ++k) {
                     const auto& [numerator, denominator] = outputs[k];
                     // numerator / denominator = target / d, without a division
                     const Integer& d = targets.denominators[k];
                     Integer difference = d.is_one() ? numerator : numerator * d;
                     mpz_submul(difference.get(), targets.numerator(row, k).get(),
                                denominator.get());
                     if (difference.sign() != 0) {
                         worst = std::max(worst, abs(Rational(difference, denominator * d)));
                     }
                 }
                 ++n_checked;
                 if (worst.sign() == 0) return;
                 const std::lock_guard lock(mutex);
                 ++report.n_wrong;
                 report.first_wrong = std::min(report.first_wrong.value_or(row), row);
                 if (worst > report.max_error) report.max_error = worst;
             });
    // Silence is no proof: every point must have been looked at.
    if (n_checked != points.rows) throw std::logic_error("verify: not all points were evaluated");
    return report;
}

}  // namespace exactnet::exact
