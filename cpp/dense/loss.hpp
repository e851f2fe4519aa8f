// Losses of a batch, and their gradients at the last layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels.hpp"
#include "network.hpp"
#include "types.hpp"

namespace exactnet::dense {

/// Targets of the samples: values (samples, outputs), or a label per sample; and factors of their
/// losses, where they are not 1.
template <class T>
struct Targets {
    const T* values = nullptr;
    const std::int64_t* labels = nullptr;
    const T* weights = nullptr;
};

/// The last layer of a network with a loss that fits its activation: cross_entropy needs softmax or
/// sigmoid, poisson exp. Pinball needs a quantile for every output.
template <class T>
class LastLayer {
   public:
    /// For batches of at most `most_rows` samples.
    LastLayer(const Layer<T>& layer, const Kernels<T>& kernels, Loss loss, std::size_t most_rows,
              const std::vector<double>& quantiles = {});

    /// Turns the pre-activations in rows begin ... end - 1 of `values` into activations, and writes
    /// the loss of row r to losses[r] and, where `deltas` is not null, its gradient with respect to
    /// the pre-activations. Row r is sample samples[r]. Other rows may be at work in other threads.
    void finish(std::size_t begin, std::size_t end, Panels<T>& values, Panels<T>* deltas,
                Targets<T> targets, const std::uint32_t* samples, double* losses);

   private:
    void squares(std::size_t begin, std::size_t end, const Panels<T>& values, Panels<T>* deltas,
                 Targets<T> targets, const std::uint32_t* samples, double* losses) const;
    double binary_cross_entropy(const T* z, std::size_t stride, Targets<T> targets,
                                std::size_t sample) const;
    double poisson(const T* z, std::size_t stride, Targets<T> targets, std::size_t sample) const;
    double pinball(const T* a, std::size_t stride, T* deltas, Targets<T> targets,
                   std::size_t sample) const;
    template <class Function>
    void each_target(Targets<T> targets, std::size_t sample, const Function& function) const;

    Layer<T> layer_;
    const Kernels<T>& kernels_;
    Loss loss_;
    std::vector<T> quantiles_;
    // of every row of a softmax: what its sums need from before and after it
    Buffer<T> high_, sum_, total_;
    std::vector<double> linear_;
};

/// Of samples with targets.
struct Evaluation {
    bool finite;          ///< whether X is; the rest is undefined otherwise
    double loss;          ///< mean
    std::size_t correct;  ///< samples whose outputs tell the class that was asked for
};

/// Evaluates the n rows of X (n, inputs), unaligned, in one forward pass; against
/// `classes` (n,) too unless that is null. The class is that of the largest output, the first of
/// equal ones; of a single one that is no softmax, 1 where it exceeds 1/2, else 0.
template <class T>
Evaluation evaluate(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, Loss loss,
                    const Matrix<T>& x, Targets<T> targets, const std::int64_t* classes,
                    Poll poll = {}, const std::vector<double>& quantiles = {},
                    std::size_t n_threads = 1);

}  // namespace exactnet::dense
