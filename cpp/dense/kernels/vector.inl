// Vectors of one instruction set, and loops in pieces of constant size.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace exactnet::dense::EXACTNET_ISA_NAMESPACE {
namespace {

// GCC's and Clang's vector types: arithmetic is written once, only fused multiply-add is not part
// of them. Contraction is off (see CMakeLists.txt), so what is fused is what is written as fma().
template <class T>
struct Vector;
template <>
struct Vector<float> {
    typedef float type __attribute__((vector_size(EXACTNET_VECTOR_BYTES)));
    typedef std::int32_t integer __attribute__((vector_size(EXACTNET_VECTOR_BYTES)));
    typedef float four __attribute__((vector_size(16)));
};
template <>
struct Vector<double> {
    typedef double type __attribute__((vector_size(EXACTNET_VECTOR_BYTES)));
    typedef std::int64_t integer __attribute__((vector_size(EXACTNET_VECTOR_BYTES)));
    typedef double four __attribute__((vector_size(32)));
};

template <class T>
using V = typename Vector<T>::type;
template <class T>
using Mask = typename Vector<T>::integer;

template <class T>
constexpr std::size_t lanes = EXACTNET_VECTOR_BYTES / sizeof(T);
template <class T>
constexpr std::size_t width = 2 * lanes<T>;

/// Four numbers, or a vector where that is no more.
template <class T>
using Four = std::conditional_t<(lanes<T> > 4), typename Vector<T>::four, V<T>>;

template <class Vec, class T>
inline Vec load_as(const T* p) {
    Vec v;
    std::memcpy(&v, __builtin_assume_aligned(p, sizeof(v)), sizeof(v));
    return v;
}
template <class T>
inline V<T> load(const T* p) {
    return load_as<V<T>>(p);
}
template <class T>
inline V<T> load_unaligned(const T* p) {
    V<T> v;
    std::memcpy(&v, p, sizeof(v));
    return v;
}
/// The first n numbers at p, then zeros.
template <class T>
inline V<T> load_some(const T* p, std::size_t n) {
    if (n >= lanes<T>) return load_unaligned(p);
    V<T> v{};
    std::memcpy(&v, p, n * sizeof(T));
    return v;
}
template <class T, class Vec>
inline void store(T* p, Vec v) {
    std::memcpy(__builtin_assume_aligned(p, sizeof(v)), &v, sizeof(v));
}

template <class T>
inline Mask<T> bits_of(V<T> x) {
    Mask<T> bits;
    std::memcpy(&bits, &x, sizeof(bits));
    return bits;
}

/// A bit for every lane of a comparison.
template <class T>
inline std::uint64_t bit_mask(Mask<T> mask) {
    [[maybe_unused]] V<T> x;
    std::memcpy(&x, &mask, sizeof(x));
    [[maybe_unused]] constexpr bool single = std::is_same_v<T, float>;
#if defined(__AVX512F__)
    if constexpr (single)
        return _mm512_movepi32_mask(_mm512_castps_si512(x));
    else
        return _mm512_movepi64_mask(_mm512_castpd_si512(x));
#elif defined(__AVX2__)
    if constexpr (single)
        return static_cast<unsigned>(_mm256_movemask_ps(x));
    else
        return static_cast<unsigned>(_mm256_movemask_pd(x));
#elif defined(__x86_64__)
    if constexpr (single)
        return static_cast<unsigned>(_mm_movemask_ps(x));
    else
        return static_cast<unsigned>(_mm_movemask_pd(x));
#else
    std::uint64_t bits = 0;
    for (std::size_t k = 0; k < lanes<T>; ++k) bits |= (mask[k] != 0 ? 1ULL : 0ULL) << k;
    return bits;
#endif
}

#if defined(__AVX2__) && defined(__FMA__)
inline Four<float> fma(Four<float> a, Four<float> b, Four<float> c) {
    return _mm_fmadd_ps(a, b, c);
}
#endif
#if defined(__AVX512F__)
inline Four<double> fma(Four<double> a, Four<double> b, Four<double> c) {
    return _mm256_fmadd_pd(a, b, c);
}
inline V<float> fma(V<float> a, V<float> b, V<float> c) { return _mm512_fmadd_ps(a, b, c); }
inline V<double> fma(V<double> a, V<double> b, V<double> c) { return _mm512_fmadd_pd(a, b, c); }
inline V<float> broadcast(float x) { return _mm512_set1_ps(x); }
inline V<double> broadcast(double x) { return _mm512_set1_pd(x); }
inline V<float> square_root(V<float> x) { return _mm512_mask_sqrt_ps(x, 0xffff, x); }
inline V<double> square_root(V<double> x) { return _mm512_mask_sqrt_pd(x, 0xff, x); }
#elif defined(__AVX2__) && defined(__FMA__)
inline V<float> fma(V<float> a, V<float> b, V<float> c) { return _mm256_fmadd_ps(a, b, c); }
inline V<double> fma(V<double> a, V<double> b, V<double> c) { return _mm256_fmadd_pd(a, b, c); }
inline V<float> broadcast(float x) { return _mm256_set1_ps(x); }
inline V<double> broadcast(double x) { return _mm256_set1_pd(x); }
inline V<float> square_root(V<float> x) { return _mm256_sqrt_ps(x); }
inline V<double> square_root(V<double> x) { return _mm256_sqrt_pd(x); }
#elif defined(__aarch64__)
inline V<float> fma(V<float> a, V<float> b, V<float> c) { return vfmaq_f32(c, a, b); }
inline V<double> fma(V<double> a, V<double> b, V<double> c) { return vfmaq_f64(c, a, b); }
inline V<float> broadcast(float x) { return vdupq_n_f32(x); }
inline V<double> broadcast(double x) { return vdupq_n_f64(x); }
inline V<float> square_root(V<float> x) { return vsqrtq_f32(x); }
inline V<double> square_root(V<double> x) { return vsqrtq_f64(x); }
#else
inline V<float> fma(V<float> a, V<float> b, V<float> c) { return a * b + c; }
inline V<double> fma(V<double> a, V<double> b, V<double> c) { return a * b + c; }
inline V<float> broadcast(float x) { return V<float>{x, x, x, x}; }
inline V<double> broadcast(double x) { return V<double>{x, x}; }
inline V<float> square_root(V<float> x) {
    for (std::size_t k = 0; k < lanes<float>; ++k) x[k] = ::sqrtf(x[k]);
    return x;
}
inline V<double> square_root(V<double> x) {
    for (std::size_t k = 0; k < lanes<double>; ++k) x[k] = ::sqrt(x[k]);
    return x;
}
#endif

template <class Vec, class T>
inline Vec broadcast_as(T x) {
    if constexpr (std::is_same_v<Vec, V<T>>) {
        return broadcast(x);
    } else {
        return Vec{x, x, x, x};
    }
}

template <class T>
constexpr std::size_t smaller(T a, T b) {
    return a < b ? a : b;
}

/// Splits `n` into as few parts of at most `most` as possible, of nearly equal size.
template <class Body>
inline void balanced(std::size_t n, std::size_t most, const Body& body) {
    if (n <= most) return body(std::size_t{0}, n);  // without a division
    const std::size_t parts = (n + most - 1) / most;
    for (std::size_t p = 0; p < parts; ++p) body(n * p / parts, n * (p + 1) / parts);
}

/// Calls body with `count` in [1, most] as a compile-time constant.
template <std::size_t most, class Body>
inline void with_constant(std::size_t count, const Body& body) {
    if constexpr (most > 1) {
        if (count < most) return with_constant<most - 1>(count, body);
    }
    body(std::integral_constant<std::size_t, most>());
}

}  // namespace
}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
