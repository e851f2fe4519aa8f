// What a dense float network is made of, without any computation.
#pragma once

namespace exactnet::dense {

enum class ActivationKind { linear, sigmoid, tanh, relu, leaky_relu, step, softmax };

/// sigmoid: 1 / (1 + exp(-slope (z - threshold))); step: 1 where z > threshold, else 0;
/// leaky_relu: z where z > 0, else slope z. The others ignore both numbers.
struct Activation {
    ActivationKind kind = ActivationKind::linear;
    double slope = 1;
    double threshold = 0;
};

/// Means over the batch of: quadratic 1/2 sum (a - y)^2; mse, the mean over outputs of (a - y)^2;
/// cross_entropy, categorical after softmax and a sum of binary ones after sigmoid.
enum class Loss { quadratic, mse, cross_entropy };

}  // namespace exactnet::dense
