#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dense.hpp"
#include "dense/random.hpp"
#include "dense/trainer.hpp"
#include "monitor.hpp"

namespace exactnet::bindings {
namespace {

dense::Options to_options(const std::string& loss, std::size_t batch_size, std::size_t n_threads,
                          const std::string& optimizer, double momentum, bool nesterov,
                          double beta1, double beta2, double epsilon, double clip_norm,
                          double alpha, double power, std::vector<double> dropout,
                          bool record_norms, std::vector<double> quantiles) {
    return {.batch_size = batch_size,
            .loss = to_loss(loss),
            .optimizer = {.kind = dense::optimizer_of(optimizer),
                          .momentum = momentum,
                          .nesterov = nesterov,
                          .beta1 = beta1,
                          .beta2 = beta2,
                          .epsilon = epsilon,
                          .clip_norm = clip_norm,
                          .alpha = alpha,
                          .p = power,
                          .dropout = std::move(dropout),
                          .record_norms = record_norms},
            .n_threads = n_threads,
            .quantiles = std::move(quantiles)};
}

/// Keeps what it trains on alive.
template <class T>
class DenseTrainer {
   public:
    DenseTrainer(std::shared_ptr<DenseNetwork<T>> network, std::shared_ptr<DenseData<T>> data,
                 py::object weights, const dense::Options& options, const py::object& progress)
        : network_(std::move(network)),
          data_(std::move(data)),
          weights_(std::move(weights)),
          optimizer_(options.optimizer) {
        require(options.batch_size > 0 && options.n_threads > 0,
                "batch_size and n_threads must be positive");
        network_->require_fits(*data_);
        network_->require_fits(options.loss, options.quantiles);
        const std::size_t n = data_->samples().size();
        require(n <= std::numeric_limits<std::uint32_t>::max(), "too many samples");
        const dense::Targets<T> targets = data_->weighted(weights_);
        without_gil(progress, [&](dense::Poll poll) {
            auto samples = data_->samples().packed(poll);
            finite_ = samples->finite();
            trainer_ = std::make_unique<dense::Trainer<T>>(
                network_->layers(), network_->kernels(),
                dense::Data<T>{std::move(samples), targets}, options, poll);
        });
    }

    /// Whether X is.
    bool finite() const { return finite_; }

    /// The network's arrays hold the new weights afterwards, also after an exception.
    py::object run(const Array<double>& rates, bool shuffle, dense::Generator& random, double until,
                   const py::object& progress) {
        const auto epochs = static_cast<std::size_t>(rates.size());
        const std::size_t n_layers = network_->layers().size();
        Array<double> losses(rates.size()), seconds(rates.size());
        Array<double> norms({optimizer_.record_norms ? epochs : std::size_t{0}, n_layers});
        std::fill_n(norms.mutable_data(), norms.size(), 0.0);
        dense::Schedule schedule;
        schedule.rates = {rates.data(), epochs};
        schedule.losses = {losses.mutable_data(), epochs};
        schedule.seconds = {seconds.mutable_data(), epochs};
        schedule.norms = {norms.mutable_data(), static_cast<std::size_t>(norms.size())};
        schedule.until = until;
        base::Monitor monitor = make_monitor(progress);
        recorded_ = py::none();
        const std::uint64_t before = trainer_->epochs();
        std::exception_ptr error;
        {
            const dense::Poll::Call call = [&] { monitor.step(0); };
            const py::gil_scoped_release release;
            trainer_->read(dense::Poll(call));
            require(trainer_->finite_parameters(),
                    "a weight, a bias or the state of the optimizer is not finite");
            try {
                monitor.begin(epochs * trainer_->n_batches());
                trainer_->run(schedule, shuffle, random,
                              [&](std::size_t n_batches) { monitor.step(n_batches); });
            } catch (...) {
                error = std::current_exception();
            }
            trainer_->write();
        }
        // Here, and not when Python asks for it: a signal may come first.
        after_ = state();
        recorded_ = py::make_tuple(losses, seconds, norms, trainer_->epochs() - before);
        if (error) std::rethrow_exception(error);
        return recorded_;
    }

    /// What belongs to the weights that the last run wrote; see bind_trainer.
    py::object after() const { return after_; }

    /// What the last run returned, or had recorded when it was interrupted; None if nothing.
    py::object recorded() const { return recorded_; }

    using Moments = std::vector<std::pair<Array<T>, Array<T>>>;

    void set_state(const Moments& first, const Moments& second, std::uint64_t steps) {
        require(optimizer_.has_first(), "this optimizer has no state");
        set_moments(first, false);
        if (optimizer_.has_second()) set_moments(second, true);
        trainer_->set_steps(steps);
    }

   private:
    py::tuple state() {
        const auto moments = [&](bool second, bool present) -> py::object {
            if (!present) return py::none();
            py::list result;
            for (std::size_t l = 0; l < network_->layers().size(); ++l) {
                const dense::Layer<T>& layer = network_->layers()[l];
                Array<T> w({layer.outputs, layer.inputs});
                Array<T> b(static_cast<py::ssize_t>(layer.outputs));
                trainer_->write_state(l, second, w.mutable_data(), b.mutable_data());
                result.append(py::make_tuple(w, b));
            }
            return result;
        };
        return py::make_tuple(
            dense::name_of(optimizer_.kind), moments(false, optimizer_.has_first()),
            moments(true, optimizer_.has_second()), trainer_->steps(), trainer_->epochs());
    }

    void set_moments(const Moments& moments, bool second) {
        const auto& layers = network_->layers();
        require(moments.size() == layers.size(), "one entry per layer");
        for (std::size_t l = 0; l < layers.size(); ++l) {
            const auto& [w, b] = moments[l];
            require(aligned(w) && aligned(b), "the state must be aligned");
            require(static_cast<std::size_t>(w.size()) == layers[l].outputs * layers[l].inputs &&
                        static_cast<std::size_t>(b.size()) == layers[l].outputs,
                    "the state does not fit the layers");
            trainer_->read_state(l, second, w.data(), b.data());
        }
    }

    std::shared_ptr<DenseNetwork<T>> network_;
    std::shared_ptr<DenseData<T>> data_;
    py::object weights_;
    dense::Optimizer optimizer_;
    bool finite_ = true;
    std::unique_ptr<dense::Trainer<T>> trainer_;
    py::object after_ = py::none(), recorded_ = py::none();
};

template <class T>
void bind_trainer(py::module_& module, const char* trainer_name) {
    py::class_<DenseTrainer<T>>(module, trainer_name, "Minibatch SGD with its optimiser state.")
        .def(py::init<std::shared_ptr<DenseNetwork<T>>, std::shared_ptr<DenseData<T>>, py::object,
                      const dense::Options&, const py::object&>(),
             py::arg("network"), py::arg("data"), py::arg("weights"), py::arg("options"),
             py::arg("progress") = py::none())
        .def_property_readonly("finite", &DenseTrainer<T>::finite)
        .def("run", &DenseTrainer<T>::run, py::arg("rates").noconvert(), py::arg("shuffle"),
             py::arg("random"), py::arg("until"), py::arg("progress") = py::none(),
             "Train an epoch per rate; (losses, seconds, norms, number of epochs that count).")
        .def_property_readonly(
            "after", &DenseTrainer<T>::after,
            "None before the first run, then what belongs to the weights as the last one wrote "
            "them: (name of the optimiser, first moments or velocities, second moments, steps, "
            "epochs), with None for what it has not. Moments are lists of "
            "(weights, biases), epochs those of all runs.")
        .def_property_readonly("recorded", &DenseTrainer<T>::recorded,
                               "What the last run returned, or had by the time of its exception.")
        .def("set_state", &DenseTrainer<T>::set_state, py::arg("first"), py::arg("second"),
             py::arg("steps"));
}

}  // namespace

void bind_training(py::module_& module) {
    py::class_<dense::Options>(module, "TrainOptions", "The parameters of a training, checked.")
        .def(py::init(&to_options), py::arg("loss"), py::arg("batch_size"), py::arg("n_threads"),
             py::arg("optimizer"), py::arg("momentum"), py::arg("nesterov"), py::arg("beta1"),
             py::arg("beta2"), py::arg("epsilon"), py::arg("clip_norm"), py::arg("alpha"),
             py::arg("power"), py::arg("dropout"), py::arg("record_norms"), py::arg("quantiles"));
    bind_trainer<float>(module, "DenseTrainer32");
    bind_trainer<double>(module, "DenseTrainer64");
}

}  // namespace exactnet::bindings
