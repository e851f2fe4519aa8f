// Owning C++ values for GMP's mpz_t and mpq_t. There is no gmpxx.h in the gmpy2 wheel, and these
// need only what the library uses. Hot loops call the mpz_* functions on get() directly.
#pragma once

#include <gmp.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace exactnet::exact {

static_assert(sizeof(long) == sizeof(std::int64_t), "GMP's *_si functions must take 64 bits");

/// Arbitrary-precision integer.
class Integer {
   public:
    Integer() noexcept { mpz_init(value_); }
    Integer(long value) { mpz_init_set_si(value_, value); }  // NOLINT: implicit, like int -> long
    Integer(const Integer& other) { mpz_init_set(value_, other.value_); }
    Integer(Integer&& other) noexcept : Integer() { mpz_swap(value_, other.value_); }
    Integer& operator=(const Integer& other) {
        mpz_set(value_, other.value_);
        return *this;
    }
    Integer& operator=(Integer&& other) noexcept {
        mpz_swap(value_, other.value_);
        return *this;
    }
    ~Integer() { mpz_clear(value_); }

    mpz_ptr get() noexcept { return value_; }
    mpz_srcptr get() const noexcept { return value_; }

    int sign() const noexcept { return mpz_sgn(value_); }
    bool is_one() const noexcept { return mpz_cmp_ui(value_, 1) == 0; }
    std::size_t bits() const noexcept { return sign() == 0 ? 0 : mpz_sizeinbase(value_, 2); }

    Integer& operator+=(const Integer& b) {
        mpz_add(value_, value_, b.value_);
        return *this;
    }
    Integer& operator-=(const Integer& b) {
        mpz_sub(value_, value_, b.value_);
        return *this;
    }
    Integer& operator*=(const Integer& b) {
        mpz_mul(value_, value_, b.value_);
        return *this;
    }
    friend Integer operator+(Integer a, const Integer& b) { return a += b; }
    friend Integer operator-(Integer a, const Integer& b) { return a -= b; }
    friend Integer operator*(Integer a, const Integer& b) { return a *= b; }
    friend Integer operator-(Integer a) {
        mpz_neg(a.value_, a.value_);
        return a;
    }
    friend bool operator==(const Integer& a, const Integer& b) noexcept {
        return mpz_cmp(a.value_, b.value_) == 0;
    }
    friend bool operator<(const Integer& a, const Integer& b) noexcept {
        return mpz_cmp(a.value_, b.value_) < 0;
    }
    friend bool operator>(const Integer& a, const Integer& b) noexcept { return b < a; }
    friend bool operator>=(const Integer& a, const Integer& b) noexcept { return !(a < b); }

   private:
    mpz_t value_;
};

/// Quotient rounded towards minus infinity; `b` must not be zero.
inline Integer floor_div(const Integer& a, const Integer& b) {
    Integer q;
    mpz_fdiv_q(q.get(), a.get(), b.get());
    return q;
}

/// Quotient rounded towards plus infinity; `b` must not be zero.
inline Integer ceil_div(const Integer& a, const Integer& b) {
    Integer q;
    mpz_cdiv_q(q.get(), a.get(), b.get());
    return q;
}

/// Quotient of a division known to leave no remainder.
inline Integer exact_div(const Integer& a, const Integer& b) {
    Integer q;
    mpz_divexact(q.get(), a.get(), b.get());
    return q;
}

inline Integer gcd(const Integer& a, const Integer& b) {
    Integer g;
    mpz_gcd(g.get(), a.get(), b.get());
    return g;
}

inline Integer lcm(const Integer& a, const Integer& b) {
    Integer m;
    mpz_lcm(m.get(), a.get(), b.get());
    return m;
}

/// Rational number, always in lowest terms with a positive denominator.
class Rational {
   public:
    Rational() { mpq_init(value_); }
    Rational(long value) : Rational() { mpq_set_si(value_, value, 1); }  // NOLINT: implicit
    Rational(const Integer& value) : Rational() {                        // NOLINT: implicit
        mpq_set_z(value_, value.get());
    }
    /// `denominator` must not be zero.
    Rational(const Integer& numerator, const Integer& denominator) : Rational() {
        mpz_set(mpq_numref(value_), numerator.get());
        mpz_set(mpq_denref(value_), denominator.get());
        mpq_canonicalize(value_);
    }
    Rational(const Rational& other) : Rational() { mpq_set(value_, other.value_); }
    Rational(Rational&& other) noexcept : Rational() { mpq_swap(value_, other.value_); }
    Rational& operator=(const Rational& other) {
        mpq_set(value_, other.value_);
        return *this;
    }
    Rational& operator=(Rational&& other) noexcept {
        mpq_swap(value_, other.value_);
        return *this;
    }
    ~Rational() { mpq_clear(value_); }

    mpq_ptr get() noexcept { return value_; }
    mpq_srcptr get() const noexcept { return value_; }
    mpz_srcptr num() const noexcept { return mpq_numref(value_); }
    mpz_srcptr den() const noexcept { return mpq_denref(value_); }
    Integer numerator() const {
        Integer n;
        mpz_set(n.get(), num());
        return n;
    }
    Integer denominator() const {
        Integer d;
        mpz_set(d.get(), den());
        return d;
    }
    int sign() const noexcept { return mpq_sgn(value_); }

    Rational& operator+=(const Rational& b) {
        mpq_add(value_, value_, b.value_);
        return *this;
    }
    Rational& operator-=(const Rational& b) {
        mpq_sub(value_, value_, b.value_);
        return *this;
    }
    Rational& operator*=(const Rational& b) {
        mpq_mul(value_, value_, b.value_);
        return *this;
    }
    Rational& operator/=(const Rational& b) {
        mpq_div(value_, value_, b.value_);
        return *this;
    }
    friend Rational operator+(Rational a, const Rational& b) { return a += b; }
    friend Rational operator-(Rational a, const Rational& b) { return a -= b; }
    friend Rational operator*(Rational a, const Rational& b) { return a *= b; }
    friend Rational operator/(Rational a, const Rational& b) { return a /= b; }
    friend Rational operator-(Rational a) {
        mpq_neg(a.value_, a.value_);
        return a;
    }
    friend bool operator==(const Rational& a, const Rational& b) noexcept {
        return mpq_equal(a.value_, b.value_) != 0;
    }
    friend bool operator<(const Rational& a, const Rational& b) noexcept {
        return mpq_cmp(a.value_, b.value_) < 0;
    }
    friend bool operator>(const Rational& a, const Rational& b) noexcept { return b < a; }

   private:
    mpq_t value_;
};

inline Rational abs(Rational a) {
    mpq_abs(a.get(), a.get());
    return a;
}

inline std::string to_string(const Rational& a) {
    std::string text(mpz_sizeinbase(a.num(), 10) + mpz_sizeinbase(a.den(), 10) + 3, '\0');
    mpq_get_str(text.data(), 10, a.get());
    text.resize(text.find('\0'));
    return text;
}

}  // namespace exactnet::exact
