// Included once per instruction set by kernels_*.cpp, which define EXACTNET_ISA_NAMESPACE,
// EXACTNET_ISA_NAME, EXACTNET_VECTOR_BYTES and EXACTNET_MAX_ROWS.

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "elementary.hpp"
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

// ---------------------------------------------------------------- products

template <class T>
inline std::size_t smaller(T a, T b) {
    return a < b ? a : b;
}

/// `rows` rows of A times one panel.
template <class T, std::size_t rows>
void product_block(std::size_t n_k, View<T> a, const T* w, const T* bias, T* z) {
    V<T> sum[rows][2];
    for (std::size_t half = 0; half < 2; ++half) {
        const V<T> start = bias != nullptr ? load(bias + half * lanes<T>) : V<T>{};
        for (std::size_t r = 0; r < rows; ++r) sum[r][half] = start;
    }
    for (std::size_t k = 0; k < n_k; k += width<T>) {
        const std::size_t n = smaller(width<T>, n_k - k);
        for (std::size_t i = 0; i < n; ++i) {
            const V<T> w0 = load(w), w1 = load(w + lanes<T>);
            w += width<T>;
            for (std::size_t r = 0; r < rows; ++r) {
                const V<T> x = broadcast(a.data[r * a.row_stride + i]);
                sum[r][0] = fma(x, w0, sum[r][0]);
                sum[r][1] = fma(x, w1, sum[r][1]);
            }
        }
        a.data += a.panel_stride;
    }
    for (std::size_t r = 0; r < rows; ++r) {
        store(z + r * width<T>, sum[r][0]);
        store(z + r * width<T> + lanes<T>, sum[r][1]);
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
void product(std::size_t m, std::size_t n_k, View<T> a, const T* w, std::size_t w_stride,
             std::size_t n_panels, const T* bias, T* z, std::size_t z_stride) {
    for (std::size_t p = 0; p < n_panels; ++p) {
        const T* const panel_bias = bias != nullptr ? bias + p * width<T> : nullptr;
        balanced(m, EXACTNET_MAX_ROWS, [&](std::size_t begin, std::size_t end) {
            const View<T> block{a.data + begin * a.row_stride, a.row_stride, a.panel_stride};
            with_constant<EXACTNET_MAX_ROWS>(end - begin, [&](auto rows) {
                product_block<T, rows.value>(n_k, block, w + p * w_stride, panel_bias,
                                             z + p * z_stride + begin * width<T>);
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
        const V<T> old = load(weights);
        store(weights, step.kind == Kind::momentum ? old + v : fma(mu, v, old + change));
    }
}

/// `count` rows of one panel of weights, from as many columns of one panel of A.
template <class T, std::size_t count>
void update_block(std::size_t m, const T* a, std::size_t a_stride, const T* d, T* weights,
                  T* velocity, Step<T> step) {
    V<T> sum[count][2];
    for (std::size_t i = 0; i < count; ++i) sum[i][0] = sum[i][1] = V<T>{};
    for (std::size_t r = 0; r < m; ++r) {
        const V<T> d0 = load(d), d1 = load(d + lanes<T>);
        d += width<T>;
        for (std::size_t i = 0; i < count; ++i) {
            const V<T> x = broadcast(a[i]);
            sum[i][0] = fma(x, d0, sum[i][0]);
            sum[i][1] = fma(x, d1, sum[i][1]);
        }
        a += a_stride;
    }
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t half = 0; half < 2; ++half) {
            const std::size_t at = i * width<T> + half * lanes<T>;
            apply(step, sum[i][half], weights + at, velocity != nullptr ? velocity + at : nullptr);
        }
    }
}

template <class T>
void update(std::size_t m, std::size_t k_begin, std::size_t k_end, View<T> a, const T* d,
            std::size_t d_stride, Parameters<T> parameters, Step<T> step) {
    for (std::size_t p = 0; p < parameters.n_panels; ++p) {
        for (std::size_t k = k_begin; k < k_end; k += width<T>) {
            const T* const columns = a.data + k / width<T> * a.panel_stride;
            const std::size_t at = p * parameters.panel_stride + k * width<T>;
            T* const v = parameters.velocity != nullptr ? parameters.velocity + at : nullptr;
            balanced(smaller(width<T>, k_end - k), EXACTNET_MAX_ROWS,
                     [&](std::size_t begin, std::size_t end) {
                         with_constant<EXACTNET_MAX_ROWS>(end - begin, [&](auto count) {
                             update_block<T, count.value>(
                                 m, columns + begin, a.row_stride, d + p * d_stride,
                                 parameters.weights + at + begin * width<T>,
                                 v != nullptr ? v + begin * width<T> : nullptr, step);
                         });
                     });
        }
    }
}

// ---------------------------------------------------------------- products of sparse rows

/// One block of inputs of all samples times `count` panels. Even and odd entries have sums of their
/// own, so that an addition need not wait for the one before.
template <class T, std::size_t count>
void sparse_product_block(std::size_t m, const SparseRow<T>* rows, std::size_t b, const T* w,
                          std::size_t w_stride, const T* bias, T* z, std::size_t z_stride) {
    constexpr std::size_t vectors = 2 * count;
    const auto panel_at = [](std::size_t v, std::size_t stride) {
        return v / 2 * stride + v % 2 * lanes<T>;
    };
    for (std::size_t r = 0; r < m; ++r) {
        const SparseRow<T> row = rows[r];
        const std::size_t end = row.offsets[b + 1];
        V<T> even[vectors], odd[vectors] = {};
        for (std::size_t v = 0; v < vectors; ++v) {
            if (b == 0) {
                even[v] = load(bias + v * lanes<T>);
            } else {
                even[v] = load(z + panel_at(v, z_stride) + r * width<T>);
            }
        }
        for (std::size_t i = row.offsets[b]; i < end; i += 2) {
            const V<T> x0 = broadcast(row.values[i]), x1 = broadcast(row.values[i + 1]);
            const T* const w0 = w + row.columns[i] * width<T>;
            const T* const w1 = w + row.columns[i + 1] * width<T>;
            for (std::size_t v = 0; v < vectors; ++v) {
                even[v] = fma(x0, load(w0 + panel_at(v, w_stride)), even[v]);
                odd[v] = fma(x1, load(w1 + panel_at(v, w_stride)), odd[v]);
            }
        }
        for (std::size_t v = 0; v < vectors; ++v) {
            store(z + panel_at(v, z_stride) + r * width<T>, even[v] + odd[v]);
        }
    }
}

template <class T>
void sparse_product(std::size_t m, std::size_t n_k, const SparseRow<T>* rows, const T* w,
                    std::size_t w_stride, std::size_t n_panels, const T* bias, T* z,
                    std::size_t z_stride) {
    const std::size_t n_blocks = (n_k + sparse_block - 1) / sparse_block;
    for (std::size_t p = 0; p < n_panels; p += 2) {
        with_constant<2>(smaller(std::size_t{2}, n_panels - p), [&](auto count) {
            for (std::size_t b = 0; b < n_blocks; ++b) {
                sparse_product_block<T, count.value>(
                    m, rows, b, w + p * w_stride + b * sparse_block * width<T>, w_stride,
                    bias + p * width<T>, z + p * z_stride, z_stride);
            }
        });
    }
}

/// Adds one block of inputs of all samples, times their gradients, to `count` panels.
template <class T, std::size_t count>
void sparse_update_block(std::size_t m, const SparseRow<T>* rows, std::size_t b, const T* d,
                         std::size_t d_stride, T scale, T* w, std::size_t w_stride) {
    constexpr std::size_t vectors = 2 * count;
    const auto panel_at = [](std::size_t v, std::size_t stride) {
        return v / 2 * stride + v % 2 * lanes<T>;
    };
    for (std::size_t r = 0; r < m; ++r) {
        const SparseRow<T> row = rows[r];
        const std::size_t end = row.offsets[b + 1];
        V<T> change[vectors];
        for (std::size_t v = 0; v < vectors; ++v) {
            change[v] = load(d + panel_at(v, d_stride) + r * width<T>) * broadcast(scale);
        }
        for (std::size_t i = row.offsets[b]; i < end; ++i) {
            const V<T> x = broadcast(row.values[i]);
            T* const at = w + row.columns[i] * width<T>;
            for (std::size_t v = 0; v < vectors; ++v) {
                T* const here = at + panel_at(v, w_stride);
                store(here, fma(x, change[v], load(here)));
            }
        }
    }
}

template <class T>
void sparse_update(std::size_t m, std::size_t n_k, std::size_t b_begin, std::size_t b_end,
                   const SparseRow<T>* rows, const T* d, std::size_t d_stride,
                   Parameters<T> parameters, Step<T> step) {
    const std::size_t stride = parameters.panel_stride;
    T* const into = parameters.sums != nullptr ? parameters.sums : parameters.weights;
    Step<T> rest = step;
    rest.scale = 1;
    for (std::size_t p = 0; p < parameters.n_panels; p += 2) {
        with_constant<2>(smaller(std::size_t{2}, parameters.n_panels - p), [&](auto count) {
            for (std::size_t b = b_begin; b < b_end; ++b) {
                const std::size_t first = p * stride + b * sparse_block * width<T>;
                sparse_update_block<T, count.value>(m, rows, b, d + p * d_stride, d_stride,
                                                    step.scale, into + first, stride);
                if (parameters.sums == nullptr) continue;
                // inputs that were 0 have no gradient, but their weights still move
                const std::size_t n = smaller(sparse_block, n_k - b * sparse_block) * width<T>;
                for (std::size_t q = 0; q < count.value; ++q) {
                    const std::size_t begin = first + q * stride;
                    for (std::size_t at = begin; at < begin + n; at += lanes<T>) {
                        apply(rest, load(into + at), parameters.weights + at,
                              parameters.velocity + at);
                        store(into + at, V<T>{});
                    }
                }
            }
        });
    }
}

// ---------------------------------------------------------------- steps on whole gradients

template <class T>
void penalize(std::size_t n, const T* weights, T* gradients, double alpha, double p) {
    if (p == 1 || p == 2) {
        const V<T> zero{}, change = broadcast(static_cast<T>(alpha * p)), minus = -change;
        for (std::size_t k = 0; k < n; k += lanes<T>) {
            const V<T> w = load(weights + k), sign = w > zero ? change : (w < zero ? minus : zero);
            const V<T> g = load(gradients + k);
            store(gradients + k, p == 1 ? g + sign : fma(change, w, g));
        }
        return;
    }
    for (std::size_t k = 0; k < n; ++k) {
        const double w = static_cast<double>(weights[k]);
        if (w == 0) continue;
        const double size = w < 0 ? -w : w;
        // for p < 1 the derivative has a pole at 0, which 1e-6 takes away
        const double slope =
            p < 1 ? size * real_power(w * w + 1e-6, p / 2 - 1) : real_power(size, p - 1);
        gradients[k] += static_cast<T>(alpha * p * (w < 0 ? -slope : slope));
    }
}

template <class T>
void optimize(std::size_t n, const T* gradients, T* weights, T* first, T* second, Rule<T> rule) {
    using Kind = typename Rule<T>::Kind;
    const V<T> factor = broadcast(rule.factor), rate = broadcast(rule.rate);
    const V<T> mu = broadcast(rule.momentum), one = broadcast(T(1));
    if (rule.kind == Kind::adam) {
        const V<T> beta1 = broadcast(rule.beta1), beta2 = broadcast(rule.beta2);
        const V<T> epsilon = broadcast(rule.epsilon);
        const V<T> correction1 = broadcast(rule.correction1);
        const V<T> correction2 = broadcast(rule.correction2);
        for (std::size_t k = 0; k < n; k += lanes<T>) {
            const V<T> g = load(gradients + k) * factor;
            const V<T> m = fma(beta1, load(first + k), (one - beta1) * g);
            const V<T> v = fma(beta2, load(second + k), (one - beta2) * (g * g));
            store(first + k, m);
            store(second + k, v);
            const V<T> root = square_root(v * correction2) + epsilon;
            store(weights + k, load(weights + k) - rate * (m * correction1) / root);
        }
        return;
    }
    for (std::size_t k = 0; k < n; k += lanes<T>) {
        const V<T> change = load(gradients + k) * factor * -rate, w = load(weights + k);
        if (first == nullptr) {
            store(weights + k, w + change);
            continue;
        }
        const V<T> v = fma(mu, load(first + k), change);
        store(first + k, v);
        store(weights + k, rule.kind == Kind::momentum ? w + v : fma(mu, v, w + change));
    }
}

// ---------------------------------------------------------------- transposition

/// Rows and columns `step` apart change places, for every power of two: Eklundh's method.
template <class T, std::size_t step>
inline void transpose_steps(V<T> (&rows)[lanes<T>]) {
    if constexpr (step > 0) {
        Mask<T> low{}, high{};
        for (std::size_t k = 0; k < lanes<T>; ++k) {
            const bool second = (k & step) != 0;
            low[k] = static_cast<int>(second ? lanes<T> + k - step : k);
            high[k] = static_cast<int>(second ? lanes<T> + k : k + step);
        }
        for (std::size_t r = 0; r < lanes<T>; ++r) {
            if ((r & step) != 0) continue;
            const V<T> a = rows[r], b = rows[r + step];
#if defined(__clang__)
            for (std::size_t k = 0; k < lanes<T>; ++k) {
                const bool second = (k & step) != 0;
                rows[r][k] = second ? b[k - step] : a[k];
                rows[r + step][k] = second ? b[k] : a[k + step];
            }
#else
            rows[r] = __builtin_shuffle(a, b, low);
            rows[r + step] = __builtin_shuffle(a, b, high);
#endif
        }
        transpose_steps<T, step / 2>(rows);
    }
}

template <class T>
void transpose(std::size_t k_begin, std::size_t k_end, const T* w, std::size_t w_stride,
               std::size_t n_panels, T* transposed, std::size_t transposed_stride) {
    for (std::size_t k = k_begin; k < k_end; k += width<T>) {
        T* const to = transposed + k / width<T> * transposed_stride;
        for (std::size_t p = 0; p < n_panels; ++p) {
            const T* const from = w + p * w_stride + k * width<T>;
            for (std::size_t i = 0; i < width<T>; i += lanes<T>) {
                for (std::size_t j = 0; j < width<T>; j += lanes<T>) {
                    V<T> rows[lanes<T>];
                    for (std::size_t r = 0; r < lanes<T>; ++r) {
                        rows[r] = load(from + (i + r) * width<T> + j);
                    }
                    transpose_steps<T, lanes<T> / 2>(rows);
                    for (std::size_t r = 0; r < lanes<T>; ++r) {
                        store(to + (p * width<T> + j + r) * width<T> + i, rows[r]);
                    }
                }
            }
        }
    }
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
inline void each(T* z, std::size_t n, const Function& function) {
    for (std::size_t k = 0; k < n; k += lanes<T>) store(z + k, function(load(z + k)));
}

template <class T>
void activate(Activation activation, T* z, std::size_t n) {
    const V<T> zero{}, one = broadcast(T(1));
    const V<T> slope = broadcast(static_cast<T>(activation.slope));
    const V<T> threshold = broadcast(static_cast<T>(activation.threshold));
    switch (activation.kind) {
        case ActivationKind::sigmoid:
            return each(z, n,
                        [&](V<T> x) { return one / (one + exp<T>((threshold - x) * slope)); });
        case ActivationKind::tanh:
            return each(z, n, [&](V<T> x) { return tanh<T>(x); });
        case ActivationKind::relu:
            return each(z, n, [&](V<T> x) { return x < zero ? zero : x; });
        case ActivationKind::leaky_relu:
            return each(z, n, [&](V<T> x) { return x < zero ? x * slope : x; });
        case ActivationKind::step:
            return each(z, n, [&](V<T> x) { return x > threshold ? one : zero; });
        case ActivationKind::linear:
        case ActivationKind::softmax:
            return;
    }
}

template <class T>
void softmax(std::size_t m, std::size_t n, T* z, std::size_t z_stride, T* highs, T* sums) {
    for (std::size_t r = 0; r < m; ++r) {
        T* const row = z + r * width<T>;
        const auto each_output = [&](const auto& function) {
            for (std::size_t k = 0; k < n; k += width<T>) {
                T* const part = row + k / width<T> * z_stride;
                const std::size_t count = smaller(width<T>, n - k);
                for (std::size_t i = 0; i < count; ++i) function(part[i]);
            }
        };
        T high = row[0], sum = 0;
        each_output([&](T x) { high = x > high ? x : high; });
        for (std::size_t k = 0; k < n; k += lanes<T>) {
            T* const part = row + k / width<T> * z_stride + k % width<T>;
            store(part, exp<T>(load(part) - broadcast(high)));
        }
        each_output([&](T x) { sum += x; });
        each_output([&](T& x) { x /= sum; });
        highs[r] = high;
        sums[r] = sum;
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

/// `count` outputs of one sample. Each sum has two parts, of even and of odd vectors.
template <class T, std::size_t count>
void dot_block(const T* weights, const T* bias, const T* x, std::size_t n_k, T* out) {
    V<T> even[count] = {}, odd[count] = {};
    std::size_t k = 0;
    for (; k + 2 * lanes<T> <= n_k; k += 2 * lanes<T>) {
        const V<T> x0 = load_unaligned(x + k), x1 = load_unaligned(x + k + lanes<T>);
        for (std::size_t i = 0; i < count; ++i) {
            const T* const w = weights + i * n_k + k;
            even[i] = fma(load_unaligned(w), x0, even[i]);
            odd[i] = fma(load_unaligned(w + lanes<T>), x1, odd[i]);
        }
    }
    for (std::size_t i = 0; i < count; ++i) {
        const V<T> both = even[i] + odd[i];
        T parts[lanes<T>];
        std::memcpy(parts, &both, sizeof(parts));
        for (std::size_t half = lanes<T> / 2; half > 0; half /= 2) {
            for (std::size_t j = 0; j < half; ++j) parts[j] += parts[j + half];
        }
        T sum = bias[i] + parts[0];
        for (std::size_t rest = k; rest < n_k; ++rest) sum += weights[i * n_k + rest] * x[rest];
        out[i] = sum;
    }
}

template <class T>
void dot_rows(const T* weights, const T* bias, const T* x, std::size_t rows, std::size_t n_k,
              T* out) {
    std::size_t r = 0;
    for (; r + 4 <= rows; r += 4) dot_block<T, 4>(weights + r * n_k, bias + r, x, n_k, out + r);
    for (; r < rows; ++r) dot_block<T, 1>(weights + r * n_k, bias + r, x, n_k, out + r);
}

template <class T>
constexpr Kernels<T> table{EXACTNET_ISA_NAME, width<T>,         product<T>,  update<T>,
                           sparse_product<T>, sparse_update<T>, penalize<T>, optimize<T>,
                           transpose<T>,      activate<T>,      softmax<T>,  multiply_derivative<T>,
                           dot_rows<T>};

}  // namespace

const Kernels<float>& single_precision() { return table<float>; }
const Kernels<double>& double_precision() { return table<double>; }

}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
