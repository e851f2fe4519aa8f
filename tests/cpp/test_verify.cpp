#include <stdexcept>

#include "check.hpp"
#include "exact/verify.hpp"

using namespace exactnet::exact;

namespace {

/// Outputs x and 2 x of one input.
Network doubling() {
    return {{2, 1, {Rational(1), Rational(2)}, {Rational(), Rational()}, Activation::linear}};
}

}  // namespace

TEST(the_report_counts_points_and_names_the_first) {
    const std::vector<std::int64_t> xs{0, 1, 2, 3, 4};
    const std::vector<std::int64_t> ys{0, 0, 1, 6, 3, 12, 3, 18, 4, 25};
    const Table points{5, 1, xs.data(), {}, {Integer(1)}};
    const Table targets{5, 2, ys.data(), {}, {Integer(1), Integer(3)}};  // second column: thirds
    for (const std::size_t n_threads : {1U, 4U}) {
        exactnet::base::Monitor monitor;
        const Report report = verify(doubling(), points, targets, n_threads, monitor);
        CHECK(report.n_points == 5);
        CHECK(report.n_wrong == 2);  // 3 instead of 2, and 25/3 instead of 8
        CHECK(report.first_wrong == std::size_t{2});
        CHECK(report.max_error == Rational(1));
    }
}

TEST(the_smallest_difference_counts) {
    Integer huge = 1;
    mpz_mul_2exp(huge.get(), huge.get(), 4000);
    const Table points{1, 1, nullptr, {Integer(1)}, {Integer(1)}};
    Network network = doubling();
    Table targets{1, 2, nullptr, {Integer(1), Integer(2)}, {Integer(1), Integer(1)}};
    exactnet::base::Monitor monitor;
    CHECK(!verify(network, points, targets, 1, monitor).first_wrong);
    network[0].biases[1] = Rational(Integer(1), huge);
    const Report report = verify(network, points, targets, 1, monitor);
    CHECK(report.n_wrong == 1);
    CHECK(report.max_error == Rational(Integer(1), huge));
}

TEST(targets_that_do_not_fit_are_refused) {
    const std::vector<std::int64_t> values{1, 2};
    const Table points{2, 1, values.data(), {}, {Integer(1)}};
    const Table one_row{1, 2, values.data(), {}, {Integer(1), Integer(1)}};
    exactnet::base::Monitor monitor;
    CHECK_THROWS(verify(doubling(), points, one_row, 1, monitor), std::invalid_argument);
    CHECK_THROWS(verify(doubling(), points, points, 1, monitor), std::invalid_argument);
    CHECK_THROWS(verify({}, points, points, 1, monitor), std::invalid_argument);
}
