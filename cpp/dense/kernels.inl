// Included once per instruction set by kernels_*.cpp, which define EXACTNET_ISA_NAMESPACE,
// EXACTNET_ISA_NAME, EXACTNET_VECTOR_BYTES and EXACTNET_MAX_ROWS.

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels.hpp"

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
};
template <>
struct Vector<double> {
    typedef double type __attribute__((vector_size(EXACTNET_VECTOR_BYTES)));
    typedef std::int64_t integer __attribute__((vector_size(EXACTNET_VECTOR_BYTES)));
};

template <class T>
using V = typename Vector<T>::type;
template <class T>
using Mask = typename Vector<T>::integer;

template <class T>
constexpr std::size_t lanes = EXACTNET_VECTOR_BYTES / sizeof(T);
template <class T>
constexpr std::size_t width = 2 * lanes<T>;

template <class T>
inline V<T> load(const T* p) {
    V<T> v;
    std::memcpy(&v, __builtin_assume_aligned(p, EXACTNET_VECTOR_BYTES), sizeof(v));
    return v;
}
template <class T>
inline V<T> load_unaligned(const T* p) {
    V<T> v;
    std::memcpy(&v, p, sizeof(v));
    return v;
}
template <class T>
inline void store(T* p, V<T> v) {
    std::memcpy(__builtin_assume_aligned(p, EXACTNET_VECTOR_BYTES), &v, sizeof(v));
}

#if defined(__AVX512F__)
inline V<float> fma(V<float> a, V<float> b, V<float> c) { return _mm512_fmadd_ps(a, b, c); }
inline V<double> fma(V<double> a, V<double> b, V<double> c) { return _mm512_fmadd_pd(a, b, c); }
inline V<float> broadcast(float x) { return _mm512_set1_ps(x); }
inline V<double> broadcast(double x) { return _mm512_set1_pd(x); }
#elif defined(__AVX2__) && defined(__FMA__)
inline V<float> fma(V<float> a, V<float> b, V<float> c) { return _mm256_fmadd_ps(a, b, c); }
inline V<double> fma(V<double> a, V<double> b, V<double> c) { return _mm256_fmadd_pd(a, b, c); }
inline V<float> broadcast(float x) { return _mm256_set1_ps(x); }
inline V<double> broadcast(double x) { return _mm256_set1_pd(x); }
#elif defined(__aarch64__)
inline V<float> fma(V<float> a, V<float> b, V<float> c) { return vfmaq_f32(c, a, b); }
inline V<double> fma(V<double> a, V<double> b, V<double> c) { return vfmaq_f64(c, a, b); }
inline V<float> broadcast(float x) { return vdupq_n_f32(x); }
inline V<double> broadcast(double x) { return vdupq_n_f64(x); }
#else
inline V<float> fma(V<float> a, V<float> b, V<float> c) { return a * b + c; }
inline V<double> fma(V<double> a, V<double> b, V<double> c) { return a * b + c; }
inline V<float> broadcast(float x) { return V<float>{x, x, x, x}; }
inline V<double> broadcast(double x) { return V<double>{x, x}; }
#endif

// ---------------------------------------------------------------- products

/// `rows` rows of the batch times one panel.
template <class T, std::size_t rows>
void product_block(std::size_t n_k, Inputs<T> a, const std::uint32_t* index, const T* panel,
                   const T* bias, T* z, std::size_t z_stride) {
    V<T> sum[rows][2];
    for (std::size_t r = 0; r < rows; ++r) {
        sum[r][0] = load(bias);
        sum[r][1] = load(bias + lanes<T>);
    }
    for (std::size_t k = 0; k < n_k; ++k) {
        const T* w = panel + (index != nullptr ? index[k] : k) * width<T>;
        const V<T> w0 = load(w), w1 = load(w + lanes<T>);
        for (std::size_t r = 0; r < rows; ++r) {
            const V<T> x = broadcast(a.data[r * a.row_stride + k * a.k_stride]);
            sum[r][0] = fma(x, w0, sum[r][0]);
            sum[r][1] = fma(x, w1, sum[r][1]);
        }
    }
    for (std::size_t r = 0; r < rows; ++r) {
        store(z + r * z_stride, sum[r][0]);
        store(z + r * z_stride + lanes<T>, sum[r][1]);
    }
}

/// Splits `n` into as few parts of at most `most` as possible, of nearly equal size.
template <class Body>
inline void balanced(std::size_t n, std::size_t most, const Body& body) {
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

template <class T>
void product(std::size_t m, std::size_t n_k, Inputs<T> a, const std::uint32_t* index,
             const T* panels, std::size_t panel_stride, std::size_t n_panels, const T* bias, T* z,
             std::size_t z_stride) {
    for (std::size_t p = 0; p < n_panels; ++p) {
        balanced(m, EXACTNET_MAX_ROWS, [&](std::size_t begin, std::size_t end) {
            const Inputs<T> block{a.data + begin * a.row_stride, a.row_stride, a.k_stride};
            with_constant<EXACTNET_MAX_ROWS>(end - begin, [&](auto rows) {
                product_block<T, rows.value>(n_k, block, index, panels + p * panel_stride,
                                             bias + p * width<T>,
                                             z + begin * z_stride + p * width<T>, z_stride);
            });
        });
    }
}

template <class T>
inline void apply(Step<T> step, V<T> sum, T* weights, T* velocity) {
    using Kind = typename Step<T>::Kind;
    const V<T> scale = broadcast(step.scale);
    if (step.kind == Kind::gradient) {
        store(weights, sum * scale);
    } else if (step.kind == Kind::sgd) {
        store(weights, fma(scale, sum, load(weights)));
    } else {
        const V<T> mu = broadcast(step.momentum), change = sum * scale;
        const V<T> v = fma(mu, load(velocity), change);
        store(velocity, v);
        const V<T> w = load(weights);
        store(weights, step.kind == Kind::momentum ? w + v : fma(mu, v, w + change));
    }
}

/// `count` rows of one panel.
template <class T, std::size_t count>
void update_block(std::size_t m, Inputs<T> a, const std::uint32_t* index, std::size_t first,
                  const T* d, std::size_t d_stride, T* panel, T* velocity, Step<T> step) {
    V<T> sum[count][2];
    for (std::size_t i = 0; i < count; ++i) sum[i][0] = sum[i][1] = V<T>{};
    for (std::size_t r = 0; r < m; ++r) {
        const V<T> d0 = load(d + r * d_stride), d1 = load(d + r * d_stride + lanes<T>);
        for (std::size_t i = 0; i < count; ++i) {
            const V<T> x = broadcast(a.data[r * a.row_stride + (first + i) * a.k_stride]);
            sum[i][0] = fma(x, d0, sum[i][0]);
            sum[i][1] = fma(x, d1, sum[i][1]);
        }
    }
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t row = (index != nullptr ? index[first + i] : first + i) * width<T>;
        for (std::size_t half = 0; half < 2; ++half) {
            const std::size_t at = row + half * lanes<T>;
            apply(step, sum[i][half], panel + at, velocity != nullptr ? velocity + at : nullptr);
        }
    }
}

template <class T>
void update(std::size_t m, std::size_t n_k, Inputs<T> a, const std::uint32_t* index, const T* d,
            std::size_t d_stride, T* panels, T* velocity, std::size_t panel_stride,
            std::size_t n_panels, Step<T> step) {
    for (std::size_t p = 0; p < n_panels; ++p) {
        T* const v = velocity != nullptr ? velocity + p * panel_stride : nullptr;
        balanced(n_k, EXACTNET_MAX_ROWS, [&](std::size_t begin, std::size_t end) {
            with_constant<EXACTNET_MAX_ROWS>(end - begin, [&](auto count) {
                update_block<T, count.value>(m, a, index, begin, d + p * width<T>, d_stride,
                                             panels + p * panel_stride, v, step);
            });
        });
    }
}

template <class T>
void coast(T* weights, T* velocity, std::size_t n, Step<T> step) {
    for (std::size_t k = 0; k < n; k += lanes<T>) apply(step, V<T>{}, weights + k, velocity + k);
}

// ---------------------------------------------------------------- elementary functions

/// 2^n (q + 1) = exp(x) with q = exp(r) - 1, |r| <= log(2) / 2: Taylor's series, long enough for
/// the type's precision. x must lie where 2^n is a normal number.
template <class T>
struct Split {
    V<T> power;
    V<T> q;
};

template <class T>
inline Split<T> split_exp(V<T> x) {
    constexpr bool single = std::is_same_v<T, float>;
    constexpr int mantissa = single ? 23 : 52, bias = single ? 127 : 1023;
    constexpr int degree = single ? 7 : 13;
    // Adding 1.5 * 2^mantissa rounds to an integer, which then stands in the lowest bits.
    const V<T> shift = broadcast(static_cast<T>(1.5) * static_cast<T>(std::int64_t{1} << mantissa));
    const V<T> shifted = fma(x, broadcast(static_cast<T>(1.4426950408889634)), shift);
    const V<T> n = shifted - shift;
    // log(2) in two parts, the first with trailing zeros so that its product with n is exact
    const V<T> high =
        broadcast(single ? static_cast<T>(0.693145751953125) : static_cast<T>(0.69314718036912382));
    const V<T> low =
        broadcast(single ? static_cast<T>(1.42860677e-6) : static_cast<T>(1.9082149292705877e-10));
    const V<T> r = x - n * high - n * low;
    T factorial = 1;
    T inverse[degree + 1];
    for (int k = 1; k <= degree; ++k) inverse[k] = 1 / (factorial *= static_cast<T>(k));
    V<T> q = broadcast(inverse[degree]);
    for (int k = degree - 1; k >= 1; --k) q = fma(q, r, broadcast(inverse[k]));
    q = q * r;
    Mask<T> bits;
    std::memcpy(&bits, &shifted, sizeof(bits));
    bits = (bits + bias) << mantissa;
    V<T> power;
    std::memcpy(&power, &bits, sizeof(power));
    return {power, q};
}

template <class T>
inline V<T> clamp(V<T> x, T limit) {
    const V<T> high = broadcast(limit), low = -high;
    x = x > high ? high : x;  // in this form a NaN stays one
    return x < low ? low : x;
}

template <class T>
inline V<T> exp(V<T> x) {
    const Split<T> s = split_exp<T>(clamp<T>(x, std::is_same_v<T, float> ? T(87) : T(708)));
    return fma(s.power, s.q, s.power);
}

template <class T>
inline V<T> tanh(V<T> x) {
    const Split<T> s = split_exp<T>(clamp<T>(x + x, std::is_same_v<T, float> ? T(30) : T(60)));
    const V<T> one = broadcast(T(1));
    const V<T> expm1 = fma(s.power, s.q, s.power - one);
    return expm1 / (expm1 + one + one);
}

template <class T, class Function>
inline void each(T* z, std::size_t m, std::size_t n, std::size_t stride, const Function& function) {
    for (std::size_t r = 0; r < m; ++r) {
        for (std::size_t k = 0; k < n; k += lanes<T>) {
            T* const at = z + r * stride + k;
            store(at, function(load(at)));
        }
    }
}

template <class T>
void softmax(T* z, std::size_t m, std::size_t n, std::size_t stride) {
    for (std::size_t r = 0; r < m; ++r) {
        T* const row = z + r * stride;
        T high = row[0];
        for (std::size_t k = 1; k < n; ++k) high = row[k] > high ? row[k] : high;
        for (std::size_t k = 0; k < n; k += lanes<T>) {
            store(row + k, exp<T>(load(row + k) - broadcast(high)));
        }
        T sum = 0;
        for (std::size_t k = 0; k < n; ++k) sum += row[k];
        for (std::size_t k = 0; k < n; ++k) row[k] /= sum;
    }
}

template <class T>
void activate(Activation activation, T* z, std::size_t m, std::size_t n, std::size_t stride) {
    const V<T> zero{}, one = broadcast(T(1));
    const V<T> slope = broadcast(static_cast<T>(activation.slope));
    const V<T> threshold = broadcast(static_cast<T>(activation.threshold));
    switch (activation.kind) {
        case ActivationKind::linear:
            return;
        case ActivationKind::sigmoid:
            return each(z, m, n, stride,
                        [&](V<T> x) { return one / (one + exp<T>((threshold - x) * slope)); });
        case ActivationKind::tanh:
            return each(z, m, n, stride, [&](V<T> x) { return tanh<T>(x); });
        case ActivationKind::relu:
            return each(z, m, n, stride, [&](V<T> x) { return x < zero ? zero : x; });
        case ActivationKind::leaky_relu:
            return each(z, m, n, stride, [&](V<T> x) { return x < zero ? x * slope : x; });
        case ActivationKind::step:
            return each(z, m, n, stride, [&](V<T> x) { return x > threshold ? one : zero; });
        case ActivationKind::softmax:
            return softmax(z, m, n, stride);
    }
}

template <class T>
void multiply_derivative(Activation activation, const T* a, T* d, std::size_t n) {
    const V<T> zero{}, one = broadcast(T(1));
    const V<T> slope = broadcast(static_cast<T>(activation.slope));
    const auto each_pair = [&](const auto& function) {
        for (std::size_t k = 0; k < n; k += lanes<T>) {
            store(d + k, function(load(a + k), load(d + k)));
        }
    };
    switch (activation.kind) {
        case ActivationKind::sigmoid:
            return each_pair([&](V<T> x, V<T> y) { return y * slope * x * (one - x); });
        case ActivationKind::tanh:
            return each_pair([&](V<T> x, V<T> y) { return y * (one - x * x); });
        case ActivationKind::relu:
            return each_pair([&](V<T> x, V<T> y) { return x > zero ? y : zero; });
        case ActivationKind::leaky_relu:
            return each_pair([&](V<T> x, V<T> y) { return x > zero ? y : y * slope; });
        case ActivationKind::linear:
        case ActivationKind::step:
        case ActivationKind::softmax:
            return;
    }
}

template <class T>
void dot_rows(const T* weights, const T* bias, const T* x, std::size_t rows, std::size_t n_k,
              T* out) {
    for (std::size_t r = 0; r < rows; ++r) {
        const T* w = weights + r * n_k;
        V<T> sum[4] = {};
        std::size_t k = 0;
        for (; k + 4 * lanes<T> <= n_k; k += 4 * lanes<T>) {
            for (std::size_t i = 0; i < 4; ++i) {
                const std::size_t at = k + i * lanes<T>;
                sum[i] = fma(load_unaligned(w + at), load_unaligned(x + at), sum[i]);
            }
        }
        const V<T> total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        T result = bias[r];
        for (std::size_t i = 0; i < lanes<T>; ++i) result += total[i];
        for (; k < n_k; ++k) result += w[k] * x[k];
        out[r] = result;
    }
}

/// flags[k] != 0 where any of the m rows has a number other than 0 in column k.
template <class T>
void scan(const T* const* rows, std::size_t m, std::size_t n, Bits<T>* flags) {
    for (std::size_t k = 0; k < n; ++k) flags[k] = 0;
    for (std::size_t r = 0; r < m; ++r) {
        for (std::size_t k = 0; k < n; ++k) {
            Bits<T> bits;
            std::memcpy(&bits, rows[r] + k, sizeof(bits));
            flags[k] |= bits << 1;  // the sign does not count: -0 is 0
        }
    }
}

template <class T>
constexpr Kernels<T> table{
    EXACTNET_ISA_NAME,      width<T>,    product<T>, update<T>, coast<T>, activate<T>,
    multiply_derivative<T>, dot_rows<T>, scan<T>};

}  // namespace

const Kernels<float>& single_precision() { return table<float>; }
const Kernels<double>& double_precision() { return table<double>; }

}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
