// Trainings whose weights and losses were recorded once (tests/data/known_answers.txt): every
// instruction set with fused multiply-add, and every compiler, must give the same bits. Lines that
// differ are printed as they should stand in the file.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "check.hpp"
#include "dense/trainer.hpp"

using namespace exactnet::dense;

namespace {

/// FNV-1a over the bits of numbers.
class Hash {
   public:
    template <class T>
    void add(T value) {
        unsigned char bytes[sizeof(T)];
        std::memcpy(bytes, &value, sizeof(T));  // little-endian, as all processors with kernels
        for (const unsigned char byte : bytes) value_ = (value_ ^ byte) * 0x100000001b3ULL;
    }
    std::string text() const {
        char digits[17];
        std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(value_));
        return digits;
    }

   private:
    std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

struct Case {
    std::string name;
    Activation hidden;
    Activation last;
    Loss loss;
    Optimizer optimizer;
    bool sparse = false;
    bool weighted = false;
    double rate = 0.05;
    std::vector<std::size_t> sizes{70, 19, 11, 5};
};

std::vector<Case> cases() {
    using Kind = ActivationKind;
    const Activation relu{Kind::relu}, tanh{Kind::tanh}, softmax{Kind::softmax},
        linear{Kind::linear}, sigmoid{Kind::sigmoid}, steep{Kind::sigmoid, 1.7, 0.3},
        leaky{Kind::leaky_relu, 0.07}, exp{Kind::exp};
    Optimizer sgd, momentum, nesterov, adam;
    momentum.momentum = nesterov.momentum = 0.9;
    nesterov.nesterov = true;
    adam.kind = Optimizer::Kind::adam;
    const auto with = [](Optimizer optimizer, auto change) {
        change(optimizer);
        return optimizer;
    };
    const auto penalty = [&](double p) {
        return with(sgd, [p](Optimizer& o) { o.alpha = 1e-3, o.p = p; });
    };
    std::vector<Case> all{
        {"sgd_sigmoid_quadratic", sigmoid, sigmoid, Loss::quadratic, sgd, true, false, 1.0},
        {"sgd_steep_entropy", steep, steep, Loss::cross_entropy, sgd},
        {"sgd_relu_softmax", relu, softmax, Loss::cross_entropy, sgd, true},
        {"sgd_tanh_softmax_mse", tanh, softmax, Loss::mse, sgd},
        {"sgd_leaky_linear_weighted", leaky, linear, Loss::mse, sgd, true, true},
        {"momentum_relu_softmax", relu, softmax, Loss::cross_entropy, momentum, true, false, 0.01},
        {"momentum_tanh_linear", tanh, linear, Loss::quadratic, momentum, false, false, 0.01},
        {"nesterov_sigmoid_softmax", sigmoid, softmax, Loss::cross_entropy, nesterov, true},
        {"nesterov_leaky_linear", leaky, linear, Loss::mse, nesterov, false, true, 0.01},
        {"adam_relu_softmax", relu, softmax, Loss::cross_entropy, adam, true, false, 0.01},
        {"adam_tanh_linear", tanh, linear, Loss::quadratic, adam, false, false, 0.003},
        {"adam_dropout", relu, softmax, Loss::cross_entropy,
         with(adam, [](Optimizer& o) { o.dropout = {0.3, 0.1}; }), true, false, 0.01},
        {"momentum_dropout_clip", tanh, softmax, Loss::cross_entropy,
         with(momentum, [](Optimizer& o) { o.dropout = {0.2, 0.5}, o.clip_norm = 0.3; })},
        {"nesterov_clip_norms", relu, linear, Loss::mse,
         with(nesterov, [](Optimizer& o) { o.clip_norm = 0.1, o.record_norms = true; })},
    };
    for (const double p : {0.5, 1.0, 1.37, 2.0, 3.0}) {
        all.push_back({"penalty_" + std::to_string(p).substr(0, 4), relu, softmax,
                       Loss::cross_entropy, penalty(p), true});
    }
    all.push_back({"sgd_tanh_exp_poisson", tanh, exp, Loss::poisson, sgd, false, true});
    all.push_back(
        {"adam_relu_linear_pinball", relu, linear, Loss::pinball, adam, true, false, 0.01});
    // layers of few units, alone and above and below others
    const std::vector<std::vector<std::size_t>> few{
        {2, 3, 1}, {3, 4, 5}, {70, 40, 3}, {5, 7, 40, 2}, {70, 3, 16, 9, 4}};
    for (const auto& sizes : few) {
        std::string name = "few";
        for (const std::size_t size : sizes) name.append("_").append(std::to_string(size));
        const bool sparse = sizes.front() == 70;
        all.push_back(
            {name + "_sgd", sigmoid, sigmoid, Loss::quadratic, sgd, sparse, false, 1.0, sizes});
        all.push_back(
            {name + "_nesterov", leaky, linear, Loss::mse, nesterov, sparse, true, 0.01, sizes});
        all.push_back({name + "_adam_dropout", tanh, sigmoid, Loss::cross_entropy,
                       with(adam,
                            [&](Optimizer& o) {
                                o.dropout.assign(sizes.size() - 2, 0.2), o.clip_norm = 1,
                                                                         o.alpha = 1e-3, o.p = 1;
                            }),
                       sparse, false, 0.01, sizes});
        all.push_back({name + "_softmax", relu, softmax, Loss::cross_entropy, momentum, !sparse,
                       false, 0.01, sizes});
    }
    return all;
}

/// Trains for 12 epochs of 25 batches; the bits of all parameters, losses and norms.
template <class T>
std::string train(const Case& what, const std::string& isa) {
    const std::vector<std::size_t>& sizes = what.sizes;
    constexpr std::size_t n = 200, epochs = 12;
    Generator generator(7);
    std::vector<T> x(n * sizes.front()), values(n * sizes.back()), sample_weights(n);
    for (T& value : x) {
        const bool zero = what.sparse && generator.below(4) != 0;
        value = zero ? 0 : static_cast<T>(generator.symmetric());
    }
    std::vector<std::int64_t> labels(n);
    for (std::size_t s = 0; s < n; ++s) {
        labels[s] = generator.below(static_cast<std::uint32_t>(sizes.back()));
        sample_weights[s] = static_cast<T>(1 + generator.symmetric());
    }
    for (T& value : values) value = static_cast<T>(generator.symmetric());
    std::vector<std::vector<T>> weights, biases;
    std::vector<Layer<T>> layers;
    for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
        auto& w = weights.emplace_back();
        for (std::size_t k = 0; k < sizes[l] * sizes[l + 1]; k += 2) {
            const auto [a, b] = generator.normal_pair();
            w.push_back(static_cast<T>(a / 4));
            w.push_back(static_cast<T>(b / 4));
        }
        w.resize(sizes[l] * sizes[l + 1]);
        biases.emplace_back(sizes[l + 1]);
    }
    for (std::size_t l = 0; l < weights.size(); ++l) {
        layers.push_back({sizes[l], sizes[l + 1], l + 1 < weights.size() ? what.hidden : what.last,
                          weights[l].data(), biases[l].data()});
    }
    const bool classes = what.loss != Loss::mse && what.loss != Loss::pinball;
    Targets<T> targets;
    if (classes) {
        targets.labels = labels.data();
    } else {
        targets.values = values.data();
    }
    if (what.weighted) targets.weights = sample_weights.data();
    Trainer<T> trainer(
        layers, kernels<T>(isa),
        {std::make_shared<const Samples<T>>(Matrix<T>{x.data(), n, sizes.front()}), targets},
        {8, what.loss, what.optimizer, 1, {0.1, 0.3, 0.5, 0.7, 0.9}});
    trainer.read();
    std::vector<double> rates, losses(epochs), seconds(epochs), norms(epochs * layers.size());
    for (std::size_t e = 0; e < epochs; ++e)
        rates.push_back(what.rate / static_cast<double>(1 + e));
    CHECK(trainer.run({rates, losses, seconds, norms}, true, generator, [](std::size_t) {}) ==
          epochs);
    trainer.write();
    Hash hash;
    for (const auto* group : {&weights, &biases}) {
        for (const auto& numbers : *group) {
            for (const T value : numbers) hash.add(value);
        }
    }
    for (const double loss : losses) hash.add(loss);
    for (const double value : norms) hash.add(value);
    char loss[40];
    std::snprintf(loss, sizeof(loss), " %a", losses.back());
    return hash.text() + loss;
}

std::string normals() {
    Generator generator(1);
    Hash hash;
    for (int k = 0; k < 50'000; ++k) {
        const auto [x, y] = generator.normal_pair();
        hash.add(x);
        hash.add(y);
    }
    return hash.text();
}

/// The lines of the file, as this instruction set computes them.
std::vector<std::string> answers(const std::string& isa) {
    std::vector<std::string> lines{"100000_normals " + normals()};
    for (const Case& what : cases()) {
        lines.push_back(what.name + " float32 " + train<float>(what, isa));
        lines.push_back(what.name + " float64 " + train<double>(what, isa));
    }
    return lines;
}

}  // namespace

TEST(known_answers_to_the_bit) {
    std::ifstream file(EXACTNET_KNOWN_ANSWERS);
    std::vector<std::string> expected;
    for (std::string line; std::getline(file, line);) expected.push_back(line);
    CHECK(!expected.empty());
    int compared = 0;
    for (const std::string& isa : supported_isas()) {
        if (isa == "baseline") continue;  // it rounds products and sums separately
        const std::vector<std::string> found = answers(isa);
        CHECK(found.size() == expected.size());
        for (std::size_t k = 0; k < found.size(); ++k) {
            const bool same = k < expected.size() && found[k] == expected[k];
            CHECK(same);
            if (!same) std::printf("%s\n", found[k].c_str());
        }
        std::printf("%s: %zu answers\n", isa.c_str(), found.size());
        ++compared;
    }
    if (compared == 0) std::printf("no instruction set with fused multiply-add here\n");
}
