// How weights change along their gradients; kernels/step.inl applies the rules.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "elementary.hpp"

namespace exactnet::dense {

/// How gradients that are known as a whole become a step.
template <class T>
struct Rule {
    enum class Kind { momentum, nesterov, adam };
    Kind kind = Kind::momentum;
    T rate = 0;
    T factor = 1;  ///< of the gradients, to clip them
    T momentum = 0;
    T beta1 = 0, beta2 = 0, epsilon = 0;
    T correction1 = 1, correction2 = 1;  ///< 1 / (1 - beta^step)
};

/// Names and meanings are those of Network.fit.
struct Optimizer {
    enum class Kind { sgd, adam };
    Kind kind = Kind::sgd;
    double momentum = 0;  ///< of sgd
    bool nesterov = false;
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  ///< of adam

    double clip_norm = 0;  ///< greatest norm of the gradient of all layers; 0 for no limit
    double alpha = 0;      ///< penalty alpha sum |w|^p over all weights
    double p = 2;
    std::vector<double> dropout;  ///< of every hidden layer, in [0, 1); empty for none
    bool record_norms = false;

    /// What it remembers of every weight between two steps.
    bool has_first() const { return kind == Kind::adam || momentum != 0; }
    bool has_second() const { return kind == Kind::adam; }

    /// Whether gradients must be known as a whole before a step.
    bool needs_gradients() const {
        return kind != Kind::sgd || clip_norm != 0 || alpha != 0 || record_norms;
    }

    /// That of step number `steps`, counted from 1.
    template <class T>
    Rule<T> rule(double rate, T factor, std::uint64_t steps) const;
};

inline const char* name_of(Optimizer::Kind kind) {
    return kind == Optimizer::Kind::adam ? "adam" : "sgd";
}

inline Optimizer::Kind optimizer_of(const std::string& name) {
    if (name == "sgd") return Optimizer::Kind::sgd;
    if (name == "adam") return Optimizer::Kind::adam;
    throw std::invalid_argument("unknown optimizer");
}

template <class T>
Rule<T> Optimizer::rule(double rate, T factor, std::uint64_t steps) const {
    using RuleKind = typename Rule<T>::Kind;
    Rule<T> rule;
    rule.rate = static_cast<T>(rate);
    rule.factor = factor;
    switch (kind) {
        case Kind::sgd:
            rule.kind = nesterov ? RuleKind::nesterov : RuleKind::momentum;
            rule.momentum = static_cast<T>(momentum);
            break;
        case Kind::adam:
            rule.kind = RuleKind::adam;
            rule.beta1 = static_cast<T>(beta1);
            rule.beta2 = static_cast<T>(beta2);
            rule.epsilon = static_cast<T>(epsilon);
            rule.correction1 = static_cast<T>(1 / (1 - power(beta1, steps)));
            rule.correction2 = static_cast<T>(1 / (1 - power(beta2, steps)));
            break;
    }
    return rule;
}

}  // namespace exactnet::dense
