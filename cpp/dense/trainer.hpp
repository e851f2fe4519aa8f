// Minibatch stochastic gradient descent, fused: one pass over every batch computes the forward
// pass, the loss, the gradients and the new weights in scratch memory that is sized once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels.hpp"
#include "loss.hpp"
#include "network.hpp"
#include "random.hpp"
#include "samples.hpp"
#include "team.hpp"
#include "types.hpp"

namespace exactnet::dense {

struct Optimizer {
    double learning_rate = 0.1;
    double momentum = 0;
    bool nesterov = false;
};

/// Training data, borrowed: X (n, inputs), row-major, and its targets.
template <class T>
struct Data {
    const T* x;
    std::size_t n;
    Targets<T> targets;
};

/// Works on a copy of the caller's weights in panels, which `read` takes and `write` gives back.
/// Labels must lie below the number of outputs, and `loss` must fit the last activation:
/// cross_entropy needs softmax or sigmoid. No layer may be a step, none but the last softmax.
/// The result does not depend on the number of threads.
template <class T>
class Trainer {
   public:
    Trainer(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, Data<T> data,
            std::size_t batch_size, Loss loss, Optimizer optimizer, std::size_t n_threads = 1);

    /// Whether X is finite.
    bool finite() const noexcept { return samples_.finite(); }

    std::size_t n_batches() const noexcept { return (data_.n + batch_size_ - 1) / batch_size_; }

    void read();
    void write();

    /// Velocities of layer l in the layout of the layer, for saving a training and resuming it.
    void write_velocity(std::size_t l, T* weights, T* biases);
    void read_velocity(std::size_t l, const T* weights, const T* biases);

    /// Trains for losses.size() epochs and writes, for each, the mean loss, every sample's taken
    /// when its batch was trained, and the seconds it took. Takes the samples in the order that
    /// `shuffle` draws for every epoch, or in their own. Returns the number of epochs before the
    /// loss became infinite or not a number; the weights are then those before that epoch.
    /// `poll` is called between batches and may throw, with the last batch finished.
    std::size_t run(std::span<double> losses, std::span<double> seconds, Generator* shuffle,
                    const std::function<void()>& poll);

    /// The gradient of the mean loss over all samples, of which there are at most batch_size, into
    /// gradients[l], which have the shapes of the layers.
    void gradients(std::vector<Layer<T>>& gradients);

   private:
    struct Level {
        Level(const Layer<T>& layer, const Kernels<T>& kernels, std::size_t batch_size);
        PackedLayer<T> packed;
        Panels<T> velocity;
        Buffer<T> bias_velocity;
        Panels<T> sums;        // of a sparse first layer with momentum
        Panels<T> transposed;  // weights, for the layer below; not of layer 0
        Panels<T> values;      // (batch, outputs): pre-activations, then activations
        Panels<T> deltas;      // likewise: gradients of the sum of the losses
    };
    struct Range {
        std::size_t begin, end;
    };

    double epoch(const std::function<void()>& poll);
    void forward(std::size_t first, Range rows);
    void backward(Range rows);
    void update(std::size_t m, Step<T> step, std::size_t t, std::vector<PackedLayer<T>>* into);
    void transpose(Level& level, Range rows);
    void snapshot(bool restore);
    Range share(std::size_t n, std::size_t t) const;

    const Kernels<T>& kernels_;
    Data<T> data_;
    Samples<T> samples_;
    Optimizer optimizer_;
    std::size_t batch_size_;
    std::vector<Level> levels_;
    LastLayer<T> last_;
    Panels<T> batch_;                 // dense inputs
    std::vector<SparseRow<T>> rows_;  // or sparse ones
    std::vector<std::uint32_t> order_;
    std::vector<double> losses_;       // of the samples of a batch
    std::vector<Buffer<T>> snapshot_;  // of all parameters, before an epoch
    Team team_;
};

}  // namespace exactnet::dense
