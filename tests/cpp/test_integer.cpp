#include <limits>
#include <utility>

#include "check.hpp"
#include "exact/integer.hpp"

using namespace exactnet::exact;

namespace {
Integer power_of_two(unsigned long exponent) {
    Integer value = 1;
    mpz_mul_2exp(value.get(), value.get(), exponent);
    return value;
}
}  // namespace

TEST(integers_have_value_semantics) {
    Integer a = power_of_two(200);
    const Integer b = a;
    a += Integer(1);
    CHECK(a - b == Integer(1));
    Integer c = std::move(a);
    CHECK(c > b);
    c = c;  // NOLINT: self-assignment is the point
    CHECK(c == b + Integer(1));
    std::swap(c, a);
    CHECK(a == b + Integer(1));
}

TEST(integers_take_the_whole_range_of_64_bits) {
    const Integer low = std::numeric_limits<long>::min();
    const Integer high = std::numeric_limits<long>::max();
    CHECK(low + high == Integer(-1));
    CHECK(low.bits() == 64);
    CHECK(Integer().bits() == 0);
}

TEST(divisions_round_as_their_names_say) {
    CHECK(floor_div(Integer(-7), Integer(2)) == Integer(-4));
    CHECK(ceil_div(Integer(-7), Integer(2)) == Integer(-3));
    CHECK(floor_div(Integer(7), Integer(-2)) == Integer(-4));
    CHECK(ceil_div(Integer(7), Integer(2)) == Integer(4));
    CHECK(exact_div(power_of_two(100), power_of_two(98)) == Integer(4));
    CHECK(gcd(Integer(-12), Integer(18)) == Integer(6));
    CHECK(lcm(Integer(4), Integer(6)) == Integer(12));
}

TEST(rationals_are_in_lowest_terms) {
    const Rational half(Integer(-3), Integer(-6));
    CHECK(to_string(half) == "1/2");
    CHECK(to_string(half - Rational(2)) == "-3/2");
    CHECK(to_string(half * Rational(4)) == "2");
    CHECK(to_string(half / Rational(Integer(-1), Integer(3))) == "-3/2");
    CHECK(abs(-half) == half);
    CHECK(-half < half);
    CHECK(half.numerator() == Integer(1));
    CHECK(half.denominator() == Integer(2));
    CHECK(Rational().sign() == 0);
}
