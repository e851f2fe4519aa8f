#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "dense/trainer.hpp"

using namespace exactnet::dense;

namespace {
std::atomic<long> allocations{0};

void* allocate(std::size_t size, std::size_t alignment_) {
    ++allocations;
    const std::size_t rounded = round_up(size + 1, alignment_);
    if (void* p = std::aligned_alloc(alignment_, rounded)) return p;
    throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t a) {
    return allocate(size, static_cast<std::size_t>(a));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace {

/// A network of three layers with data, part of which is 0.
struct Problem {
    Problem(std::size_t n_samples, double zeros, std::vector<std::size_t> layer_sizes)
        : sizes(std::move(layer_sizes)), n(n_samples), x(n * sizes.front()), labels(n) {
        Generator generator(1);
        for (float& value : x) {
            const bool zero = std::abs(generator.symmetric()) < zeros;
            value = zero ? 0 : static_cast<float>(generator.symmetric());
        }
        for (auto& label : labels) {
            label = generator.below(static_cast<std::uint32_t>(sizes.back()));
        }
        for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
            auto& w = weights.emplace_back(sizes[l] * sizes[l + 1]);
            for (float& value : w) value = static_cast<float>(generator.symmetric()) / 4;
            biases.emplace_back(sizes[l + 1]);
        }
        for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
            const bool last = l + 2 == sizes.size();
            layers.push_back({sizes[l],
                              sizes[l + 1],
                              {last ? ActivationKind::softmax : ActivationKind::relu},
                              weights[l].data(),
                              biases[l].data()});
        }
    }
    std::shared_ptr<const Samples<float>> samples() const {
        return std::make_shared<const Samples<float>>(Matrix<float>{x.data(), n, sizes.front()});
    }
    Data<float> data() const { return {samples(), {nullptr, labels.data()}}; }
    std::vector<float> parameters() const {
        std::vector<float> all;
        for (const auto& w : weights) all.insert(all.end(), w.begin(), w.end());
        for (const auto& b : biases) all.insert(all.end(), b.begin(), b.end());
        return all;
    }

    std::vector<std::size_t> sizes;
    std::size_t n;
    std::vector<float> x;
    std::vector<std::int64_t> labels;
    std::vector<std::vector<float>> weights, biases;
    std::vector<Layer<float>> layers;
};

/// Optimisers of every path through the core.
std::vector<Optimizer> optimizers() {
    std::vector<Optimizer> all(4);
    all[1].momentum = 0.9;
    all[1].nesterov = true;
    all[2].kind = Optimizer::Kind::adam;
    all[2].dropout = {0.2, 0.1};
    all[3].momentum = 0.5;
    all[3].alpha = 1e-4;
    all[3].p = 1;
    all[3].clip_norm = 0.1;
    all[3].record_norms = true;
    return all;
}

/// Trains and returns the losses; `count` is what run returned.
std::vector<double> train(
    Trainer<float>& trainer, std::size_t epochs, bool shuffle,
    const std::function<void(std::size_t)>& poll = [](std::size_t) {}, double rate = 0.1,
    std::size_t* count = nullptr) {
    std::vector<double> rates(epochs, rate), losses(epochs), seconds(epochs), norms(epochs * 9);
    Generator generator(2);
    const std::size_t n = trainer.run({rates, losses, seconds, norms}, shuffle, generator, poll);
    if (count != nullptr) *count = n;
    return losses;
}

}  // namespace

TEST(an_epoch_allocates_nothing) {
    for (const double zeros : {0.0, 0.8}) {
        for (const Optimizer& optimizer : optimizers()) {
            for (const std::size_t n_threads : {1U, 2U}) {
                Problem problem(500, zeros, {100, 40, 20, 10});
                Trainer<float> trainer(problem.layers, kernels<float>(""), problem.data(),
                                       {32, Loss::cross_entropy, optimizer, n_threads, {}, true});
                trainer.read();
                const std::vector<double> rates(3, 0.02);
                std::vector<double> losses(3), seconds(3), norms(9);
                const Schedule schedule{rates, losses, seconds, norms};
                Generator generator(2);
                const std::function<void(std::size_t)> poll = [](std::size_t) {};
                const long before = allocations;
                CHECK(trainer.run(schedule, true, generator, poll) == 3);
                CHECK(allocations == before);
                CHECK(losses[2] < losses[0]);
            }
        }
    }
}

TEST(threads_do_not_change_a_bit) {
    for (const double zeros : {0.0, 0.8}) {
        for (const Optimizer& optimizer : optimizers()) {
            std::vector<float> expected;
            std::vector<double> expected_losses;
            for (const std::size_t n_threads : {1U, 2U, 3U, 7U}) {
                Problem problem(203, zeros, {300, 150, 70, 10});
                Trainer<float> trainer(problem.layers, kernels<float>(""), problem.data(),
                                       {20, Loss::cross_entropy, optimizer, n_threads, {}, true});
                trainer.read();
                const std::vector<double> losses = train(trainer, 3, true);
                trainer.write();
                if (n_threads == 1) {
                    expected = problem.parameters();
                    expected_losses = losses;
                }
                CHECK(problem.parameters() == expected);
                CHECK(losses == expected_losses);
            }
        }
    }
}

TEST(threads_do_not_change_predictions) {
    for (const double zeros : {0.0, 0.8}) {
        Problem problem(1003, zeros, {300, 150, 70, 10});
        const Kernels<float>& best = kernels<float>("");
        const Matrix<float> x{problem.x.data(), problem.n, 300};
        std::vector<float> expected(problem.n * 10), outputs(problem.n * 10);
        CHECK(predict(problem.layers, best, x, expected.data()));
        const auto evaluated = [&](std::size_t n_threads) {
            return evaluate(problem.layers, best, Loss::cross_entropy, x, problem.data().targets,
                            problem.labels.data(), {}, {}, n_threads);
        };
        const Evaluation one = evaluated(1);
        for (const std::size_t n_threads : {2U, 3U, 7U}) {
            std::fill(outputs.begin(), outputs.end(), 0.0F);
            CHECK(predict(problem.layers, best, x, outputs.data(), n_threads));
            CHECK(outputs == expected);
            const Evaluation found = evaluated(n_threads);
            CHECK(found.loss == one.loss);
            CHECK(found.correct == one.correct);
        }
        const Poll::Call stop = [] { throw std::runtime_error("enough"); };
        Problem large(3000, zeros, {300, 1000, 1000, 10});
        std::vector<float> many(large.n * 10);
        CHECK_THROWS(
            predict(large.layers, best, {large.x.data(), large.n, 300}, many.data(), 2, Poll(stop)),
            std::runtime_error);
        problem.x[300 * 500] = HUGE_VALF;
        CHECK(!predict(problem.layers, best, x, outputs.data(), 3));
    }
}

TEST(trainers_share_samples) {
    for (const double zeros : {0.0, 0.8}) {
        Problem problem(203, zeros, {300, 70, 10});
        const auto samples = problem.samples();
        CHECK(samples->sparse() == (zeros != 0));
        std::vector<std::vector<float>> results;
        for (const std::shared_ptr<const Samples<float>>& of :
             {samples, samples, problem.samples()}) {
            Problem copy = problem;
            for (std::size_t l = 0; l < copy.layers.size(); ++l) {
                copy.layers[l].weights = copy.weights[l].data();
                copy.layers[l].biases = copy.biases[l].data();
            }
            Trainer<float> trainer(copy.layers, kernels<float>(""),
                                   {of, {nullptr, copy.labels.data()}},
                                   {20, Loss::cross_entropy, {}});
            trainer.read();
            train(trainer, 3, true);
            trainer.write();
            results.push_back(copy.parameters());
        }
        CHECK(results[0] == results[1] && results[1] == results[2]);
        CHECK(results[0] != problem.parameters());
        CHECK(samples.use_count() == 1);  // no trainer is left
    }
}

TEST(an_evaluation_counts_what_predictions_tell) {
    for (const std::size_t n : {3U, 100U, 500U}) {
        Problem problem(n, 0, {30, 20, 10});
        const Kernels<float>& best = kernels<float>("");
        std::vector<float> outputs(n * 10);
        CHECK(predict(problem.layers, best, {problem.x.data(), n, problem.sizes.front()},
                      outputs.data()));
        std::size_t correct = 0;
        for (std::size_t r = 0; r < n; ++r) {
            const auto row = outputs.begin() + static_cast<std::ptrdiff_t>(10 * r);
            correct += std::max_element(row, row + 10) - row == problem.labels[r] ? 1U : 0U;
        }
        const auto evaluated = [&](const std::int64_t* classes) {
            return evaluate(problem.layers, best, Loss::cross_entropy,
                            {problem.x.data(), n, problem.sizes.front()}, problem.data().targets,
                            classes);
        };
        const Evaluation with = evaluated(problem.labels.data()), without = evaluated(nullptr);
        CHECK(with.finite && without.finite);
        CHECK(with.correct == correct);
        CHECK(without.correct == 0);
        CHECK(with.loss == without.loss);
        problem.x[30 * n - 1] = std::nanf("");
        CHECK(!evaluated(nullptr).finite);
    }
}

TEST(a_single_output_tells_two_classes) {
    float w = 1, b = 0;
    const std::vector<float> x{-2, 0, 1, 3};
    const std::vector<std::int64_t> classes{0, 0, 1, 0};
    const std::vector<float> values(4);
    for (const auto kind : {ActivationKind::sigmoid, ActivationKind::softmax}) {
        const std::vector<Layer<float>> layers{{1, 1, {kind}, &w, &b}};
        const Evaluation result = evaluate(layers, kernels<float>(""), Loss::quadratic,
                                           {x.data(), 4, 1}, {values.data()}, classes.data());
        CHECK(result.correct == 3);  // of softmax, all are of class 0
    }
}

TEST(instruction_sets_with_fma_give_the_same_bits) {
    for (const Optimizer& optimizer : optimizers()) {
        std::vector<std::vector<float>> results;
        for (const std::string& isa : supported_isas()) {
            if (isa == "baseline") continue;
            Problem problem(100, 0.8, {130, 33, 17, 10});
            Trainer<float> trainer(problem.layers, kernels<float>(isa), problem.data(),
                                   {20, Loss::cross_entropy, optimizer});
            trainer.read();
            train(trainer, 3, true);
            trainer.write();
            results.push_back(problem.parameters());
        }
        for (const auto& result : results) CHECK(result == results.front());
    }
}

TEST(more_threads_than_samples_in_a_batch) {
    Problem problem(9, 0, {5, 4, 3});
    Trainer<float> trainer(problem.layers, kernels<float>(""), problem.data(),
                           {2, Loss::cross_entropy, {}, 5, {}, true});
    trainer.read();
    std::size_t count = 0;
    train(trainer, 2, false, [](std::size_t) {}, 0.1, &count);
    CHECK(count == 2);
}

TEST(an_error_between_batches_keeps_the_finished_ones) {
    for (const std::size_t n_threads : {1U, 2U}) {
        // of so much work that poll is called after each
        const std::vector<std::size_t> sizes{300, 200, 10};
        Problem whole(96, 0, sizes), part(96, 0, sizes);
        Trainer<float> trainer(part.layers, kernels<float>(""), part.data(),
                               {32, Loss::cross_entropy, {}, n_threads, {}, true});
        trainer.read();
        int polls = 0;
        const auto poll = [&](std::size_t n_batches) {
            if ((polls += static_cast<int>(n_batches)) == 2) throw std::runtime_error("enough");
        };
        CHECK_THROWS(train(trainer, 1, false, poll), std::runtime_error);
        trainer.write();
        whole.n = 64;  // two batches
        Trainer<float> two(whole.layers, kernels<float>(""), whole.data(),
                           {32, Loss::cross_entropy, {}});
        two.read();
        train(two, 1, false);
        two.write();
        CHECK(part.parameters() == whole.parameters());
    }
}

TEST(divergence_restores_the_weights_before_the_epoch) {
    for (const std::size_t n_threads : {1U, 2U}) {
        Problem problem(100, 0, {30, 20, 10});
        for (auto& w : problem.weights) {
            for (float& value : w) value *= 1e20F;
        }
        const std::vector<float> before = problem.parameters();
        Trainer<float> trainer(problem.layers, kernels<float>(""), problem.data(),
                               {10, Loss::cross_entropy, optimizers()[1], n_threads, {}, true});
        trainer.read();
        std::size_t count = 9;
        const std::vector<double> losses =
            train(trainer, 5, false, [](std::size_t) {}, 1e30, &count);
        CHECK(count == 0);
        CHECK(!std::isfinite(losses[0]));
        trainer.write();
        CHECK(problem.parameters() == before);
    }
}

TEST(an_interrupt_leaves_no_infinite_weights) {
    for (const Optimizer& optimizer : optimizers()) {
        Problem problem(100, 0, {300, 200, 10});  // so that poll is called
        const std::vector<float> before = problem.parameters();
        Trainer<float> trainer(problem.layers, kernels<float>(""), problem.data(),
                               {10, Loss::cross_entropy, optimizer});
        trainer.read();
        bool infinite = false;
        const auto poll = [&](std::size_t n_batches) {
            if (n_batches == 0) return;
            infinite = !trainer.finite_parameters();
            throw std::runtime_error("enough");
        };
        CHECK_THROWS(train(trainer, 1, false, poll, 1e42), std::runtime_error);
        CHECK(infinite);
        trainer.write();
        CHECK(problem.parameters() == before);
        CHECK(trainer.finite_parameters());
    }
}

TEST(an_error_within_a_batch_leaves_a_whole_number_of_them) {
    const std::vector<std::size_t> sizes{300, 400, 200, 10};
    constexpr std::size_t n_batches = 3, batch_size = 1500;
    for (const double zeros : {0.0, 0.8}) {
        for (const Optimizer& optimizer : {Optimizer{}, optimizers()[1], optimizers()[2]}) {
            // by the number of batches that poll had heard of, the parameters after as many
            std::vector<std::vector<float>> expected;
            std::size_t n_polls = 0;
            const auto stop_at = [&](std::size_t poll_to_throw, std::size_t n_threads,
                                     std::size_t& heard) {
                Problem problem(n_batches * batch_size, zeros, sizes);
                Trainer<float> trainer(
                    problem.layers, kernels<float>(""), problem.data(),
                    {batch_size, Loss::cross_entropy, optimizer, n_threads, {}, true});
                trainer.read();
                std::size_t polls = 0;
                heard = 0;
                const auto poll = [&](std::size_t n) {
                    heard += n;
                    if (poll_to_throw == 0 && n != 0) {
                        trainer.write();
                        expected.push_back(problem.parameters());
                    }
                    if (++polls == poll_to_throw) throw std::runtime_error("enough");
                };
                if (poll_to_throw == 0) {
                    expected.assign(1, problem.parameters());
                    train(trainer, 1, false, poll);
                    n_polls = polls;
                } else {
                    CHECK_THROWS(train(trainer, 1, false, poll), std::runtime_error);
                }
                trainer.write();
                return problem.parameters();
            };
            std::size_t heard;
            stop_at(0, 1, heard);
            CHECK(expected.size() == n_batches + 1);
            CHECK(n_polls > 10 * n_batches);
            for (std::size_t k = 1; k <= n_polls; k += n_polls / 4) {
                std::vector<float> found = stop_at(k, 1, heard);
                CHECK(found == expected[heard]);
                // Of three threads each has a third of the turns, and a batch may end, or be
                // undone, while they leave.
                found = stop_at(k / 4 + 1, 3, heard);
                CHECK(std::count(expected.begin(), expected.end(), found) == 1);
            }
        }
    }
}

/// Small networks have kernels of their own; factors of the losses, all 1, lead past them.
TEST(small_networks_are_trained_as_others) {
    using Kind = ActivationKind;
    constexpr std::size_t n = 50;
    const std::vector<float> ones(n, 1.0F);
    std::vector<Optimizer> rules(3);
    rules[1].momentum = rules[2].momentum = 0.9;
    rules[2].nesterov = true;
    for (const std::string& isa : supported_isas()) {
        for (const auto& sizes :
             std::vector<std::vector<std::size_t>>{{2, 3, 1}, {1, 1}, {4, 4, 4}, {3, 1, 4, 2, 3}}) {
            for (const Kind kind : {Kind::linear, Kind::sigmoid, Kind::tanh, Kind::relu,
                                    Kind::leaky_relu, Kind::exp}) {
                for (const Optimizer& rule : rules) {
                    for (const Loss loss : {Loss::quadratic, Loss::mse}) {
                        const auto trained = [&](const float* weights, std::size_t n_threads,
                                                 bool labelled) {
                            Problem problem(n, 0, sizes);
                            const std::size_t outputs = sizes.back();
                            for (auto& layer : problem.layers) {
                                const bool last = &layer == &problem.layers.back();
                                const Kind hidden = kind == Kind::exp ? Kind::sigmoid : kind;
                                layer.activation = {last ? kind : hidden, 0.7, 0.2};
                            }
                            std::vector<float> values(n * outputs);
                            for (std::size_t k = 0; k < n * outputs; ++k) {
                                values[k] = problem.x[k % problem.x.size()];
                            }
                            Data<float> data{problem.samples(), {values.data()}};
                            if (labelled) data = problem.data();
                            data.targets.weights = weights;
                            Trainer<float> trainer(problem.layers, kernels<float>(isa), data,
                                                   {7, loss, rule, n_threads, {}, true});
                            trainer.read();
                            std::vector<double> losses = train(trainer, 3, true);
                            trainer.write();
                            for (const float w : problem.parameters()) losses.push_back(w);
                            return losses;
                        };
                        for (const bool labelled : {false, true}) {
                            const std::vector<double> expected = trained(ones.data(), 1, labelled);
                            CHECK(expected == trained(nullptr, 1, labelled));
                            if (loss == Loss::mse) {
                                CHECK(expected == trained(nullptr, 3, labelled));
                            }
                        }
                    }
                }
            }
        }
    }
}

TEST(threads_may_change_within_an_epoch) {
    for (const Optimizer& optimizer : optimizers()) {
        std::vector<std::vector<float>> results;
        std::vector<std::vector<double>> losses;
        for (const std::size_t n_threads : {1U, 2U}) {
            // of batches of so much work that two are tried, one and two in turns
            Problem problem(2000, 0.8, {300, 150, 70, 10});
            Trainer<float> trainer(problem.layers, kernels<float>(""), problem.data(),
                                   {40, Loss::cross_entropy, optimizer, n_threads});
            trainer.read();
            losses.push_back(train(trainer, 2, true));
            trainer.write();
            results.push_back(problem.parameters());
        }
        CHECK(results[0] == results[1]);
        CHECK(losses[0] == losses[1]);
    }
}
