// Minibatch stochastic gradient descent, fused: one pass over every batch computes the forward
// pass, the loss, the gradients and the new weights in scratch memory that is sized once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels.hpp"
#include "network.hpp"
#include "types.hpp"

namespace exactnet::dense {

/// Targets of the samples: values (samples, outputs), or a label per sample.
template <class T>
struct Targets {
    const T* values = nullptr;
    const std::int64_t* labels = nullptr;
};

struct Optimizer {
    double learning_rate = 0.1;
    double momentum = 0;
    bool nesterov = false;
};

/// Mean loss over n samples of the pre-activations z (n, outputs) of the last layer.
template <class T>
double mean_loss(Loss loss, const Layer<T>& last, const Kernels<T>& kernels, const T* z,
                 std::size_t n, Targets<T> targets);

/// Works on a copy of the caller's weights in panels, which `read` takes and `write` gives back.
/// Labels must lie below the number of outputs, and `loss` must fit the last activation:
/// cross_entropy needs softmax or sigmoid. No layer may be a step, none but the last softmax.
template <class T>
class Trainer {
   public:
    Trainer(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, std::size_t batch_size,
            Loss loss, Optimizer optimizer);

    void read();
    void write();

    /// Trains on the rows of x (samples, inputs) that `order` lists, batch by batch, and returns
    /// the sum of their losses, each as it was when its batch was trained. Stops after a batch that
    /// makes the sum infinite or not a number. `poll` is called between batches and may throw.
    double epoch(const T* x, Targets<T> targets, std::span<const std::uint32_t> order,
                 const std::function<void()>& poll);

    /// The gradient of the mean loss over all n <= batch_size samples, into gradients[l], which
    /// have the shapes of the layers; returns the sum of the losses.
    double gradients(const T* x, Targets<T> targets, std::size_t n,
                     std::vector<Layer<T>>& gradients);

    /// Velocities of layer l in the layout of the layer, for saving a training and resuming it.
    void write_velocity(std::size_t l, T* weights, T* biases);
    void read_velocity(std::size_t l, const T* weights, const T* biases);

   private:
    struct Level {
        explicit Level(const Layer<T>& layer, const Kernels<T>& kernels, std::size_t batch_size,
                       bool velocity);
        PackedLayer<T> packed;
        Panels<T> velocity;
        Buffer<T> bias_velocity;
        Panels<T> transposed;  // (outputs, inputs) in panels, for the layer below; not of layer 0
        Buffer<T> values;      // (batch, padded outputs): pre-activations, then activations
        Buffer<T> deltas;      // likewise
    };

    double forward_and_delta(const T* x, Targets<T> targets, std::size_t m);
    void gather(const T* x, std::size_t m);
    void backward(std::size_t m, Step<T> step, std::vector<PackedLayer<T>>* gradients);
    Inputs<T> inputs_of(std::size_t l) const;

    const Kernels<T>& kernels_;
    Loss loss_;
    Optimizer optimizer_;
    std::vector<Level> levels_;
    Buffer<T> zeros_;                   // a bias for products without one
    Buffer<T> batch_;                   // the batch's inputs, dense or compressed
    std::vector<const T*> rows_;        // the batch's samples
    std::vector<std::size_t> samples_;  // their indices
    std::vector<Bits<T>> flags_;
    std::vector<std::uint32_t> used_;  // inputs that are not 0 in the whole batch
    std::size_t n_used_ = 0;
    bool compressed_ = false;
};

}  // namespace exactnet::dense
