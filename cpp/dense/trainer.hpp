// Minibatch stochastic gradient descent, fused: one pass over every batch computes the forward
// pass, the loss, the gradients and the new weights in scratch memory that is sized once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kernels.hpp"
#include "loss.hpp"
#include "network.hpp"
#include "optimizer.hpp"
#include "poll.hpp"
#include "random.hpp"
#include "samples.hpp"
#include "team.hpp"
#include "types.hpp"

namespace exactnet::dense {

/// Of a training.
struct Options {
    std::size_t batch_size = 32;
    Loss loss = Loss::quadratic;
    Optimizer optimizer;
    std::size_t n_threads = 1;           ///< at most
    std::vector<double> quantiles = {};  ///< of the outputs, for the pinball loss
    bool all_threads = false;            ///< even where fewer are faster; for tests
};

/// Of a run of some epochs.
struct Schedule {
    std::span<const double> rates;  ///< learning rate of every epoch
    std::span<double> losses;       ///< into which go mean losses,
    std::span<double> seconds;      ///< times,
    std::span<double> norms;        ///< and (epochs, layers) mean norms of the gradients of weights
    double until = -1;              ///< loss that ends the run
};

/// Training data: samples, which any number of trainers may share, and their targets, borrowed.
template <class T>
struct Data {
    std::shared_ptr<const Samples<T>> samples;
    Targets<T> targets;
};

/// Works on a copy of the caller's weights in panels, which `read` takes and `write` gives back.
/// Labels must lie below the number of outputs, and `loss` must fit the last activation:
/// see LastLayer. No layer may be a step, none but the last softmax or exp.
/// The result does not depend on the number of threads.
template <class T>
class Trainer {
   public:
    Trainer(const std::vector<Layer<T>>& layers, const Kernels<T>& kernels, Data<T> data,
            Options options, Poll poll = {});

    std::size_t n_batches() const noexcept {
        return (samples_.size() + batch_size_ - 1) / batch_size_;
    }

    void read(Poll poll = {});
    void write();

    /// Whether all weights, biases and state of the optimiser are.
    bool finite_parameters() const noexcept;

    /// State of the optimiser for layer l in the layout of the layer, for saving a training and
    /// resuming it: velocities or first moments, and second moments.
    void write_state(std::size_t l, bool second, T* weights, T* biases);
    void read_state(std::size_t l, bool second, const T* weights, const T* biases);
    std::uint64_t steps() const noexcept { return steps_; }
    void set_steps(std::uint64_t steps) noexcept { steps_ = steps; }

    /// Epochs that all runs together have finished.
    std::uint64_t epochs() const noexcept { return epochs_; }

    /// Trains for schedule.rates.size() epochs and writes, for each, the mean loss, every sample's
    /// taken when its batch was trained, and the seconds it took; of epochs that take microseconds,
    /// the mean over several. Takes the samples in the order
    /// that `shuffle` draws for every epoch, or in their own. Returns the number of epochs until
    /// the loss was small enough, or before the loss or a parameter became infinite or not a
    /// number; parameters, state and `random`, which is for dropout too, are then as before that
    /// epoch. `poll` is called with the number of batches since its last call, from the calling
    /// thread; it may throw, which leaves all as after some whole batch, or as before the epoch if
    /// a parameter is not finite then. The parameters must be finite.
    std::size_t run(const Schedule& schedule, bool shuffle, Generator& random,
                    const std::function<void(std::size_t)>& poll);

    /// The gradient of the mean loss over all samples, of which there are at most batch_size, into
    /// gradients[l], which have the shapes of the layers; returns that loss. The optimiser must
    /// need gradients.
    double gradients(std::vector<Layer<T>>& gradients, Poll poll = {});

   private:
    struct Level {
        Level(const Layer<T>& layer, const Kernels<T>& kernels, std::size_t width,
              std::size_t batch_size, Poll poll);
        bool narrow(const Kernels<T>& kernels) const {
            return packed.weights.width() != kernels.width;
        }
        PackedLayer<T> packed;
        Panels<T> first, second;  // state of the optimiser
        Buffer<T> bias_first, bias_second;
        Panels<T> gradients;  // where they must be known as a whole
        Buffer<T> bias_gradients;
        Panels<T> mask, dropped;  // of dropout: factors of the activations, and their products
        Panels<T> sums;           // of a sparse first layer with momentum
        Panels<T> transposed;     // weights, for the layer below; not of layer 0
        Panels<T> values;         // (batch, outputs): pre-activations, then activations
        Panels<T> deltas;         // likewise: gradients of the sum of the losses
    };
    struct Range {
        std::size_t begin, end;
    };

    struct Cancelled {};

    double epoch(double rate, std::uint64_t dropout_seed, std::span<double> norms,
                 const std::function<void(std::size_t)>& poll);
    void pass(std::size_t first, Range rows, std::uint64_t dropout_seed, Poll poll);
    void fetch(std::size_t first, Range rows);
    void forward(std::size_t first, Range rows, std::uint64_t dropout_seed, Poll& poll);
    void backward(Range rows, Poll& poll);
    void drop(std::size_t l, std::size_t first, Range rows, std::uint64_t seed);
    const Panels<T>& inputs_of(std::size_t l) const;
    void update(std::size_t m, Step<T> step, std::size_t t, Poll poll);
    void accumulate(std::size_t m, T scale, std::size_t t, Poll poll);
    void step_rows(std::size_t l, std::size_t m, Range rows, const Parameters<T>& parameters,
                   Step<T> step, Poll& poll);
    Range rows_of(std::size_t l, std::size_t t) const;
    double norm(std::size_t l) const;
    void apply(double rate, T factor, std::size_t t);
    void transpose(Level& level, Range rows);
    void save(std::vector<Buffer<T>>& into, Poll poll = {});
    void restore(const std::vector<Buffer<T>>& from);
    Range share(std::size_t n, std::size_t t, std::size_t unit = 1) const;

    const Kernels<T>& kernels_;
    Data<T> data_;
    const Samples<T>& samples_;
    bool sparse_;  // at hand, for it is asked of every row
    Optimizer optimizer_;
    std::size_t batch_size_;
    std::vector<Level> levels_;
    LastLayer<T> last_;
    std::vector<SmallLayer<T>> small_;  // all, where the kernels for those do; else empty
    SmallLoss<T> small_loss_{};
    Panels<T> batch_;                 // dense inputs
    std::vector<SparseRow<T>> rows_;  // or sparse ones
    Buffer<T> row_values_;            // of them, where samples are bytes
    std::vector<std::uint32_t> order_;
    std::vector<double> losses_;            // of the samples of a batch
    std::vector<double> batch_norms_;       // of the layers' gradients
    std::vector<std::span<T>> parameters_;  // all weights, biases and state of the optimiser
    std::vector<Buffer<T>> epoch_start_;    // the same, before an epoch
    std::vector<Buffer<T>> batch_start_;    // before a batch, where its step may be cancelled
    std::size_t work_;                      // of a forward pass of a sample
    std::size_t rows_unit_ = 1;             // of which whole vectors of every layer consist
    std::uint64_t steps_ = 0;               // with gradients known as a whole, as Adam's
    std::uint64_t epochs_ = 0;
    std::size_t turn_batches_ = 0, turn_work_ = 0;  // since the last call of `poll`
    Team team_;
    Pace pace_;
    std::size_t n_threads_ = 1;  // that are at work
};

}  // namespace exactnet::dense
