// What a dense float network is made of, without any computation.
#pragma once

namespace exactnet::dense {

enum class ActivationKind { linear, sigmoid, tanh, relu, leaky_relu, step, softmax, exp };

/// sigmoid: 1 / (1 + exp(-slope (z - threshold))); step: 1 where z > threshold, else 0;
/// leaky_relu: z where z > 0, else slope z. The others ignore both numbers. Softmax and exp
/// are for the last layer.
struct Activation {
    ActivationKind kind = ActivationKind::linear;
    double slope = 1;
    double threshold = 0;
};

/// Means over the batch of: quadratic 1/2 sum (a - y)^2; mse, the mean over outputs of (a - y)^2;
/// cross_entropy, categorical after softmax and a sum of binary ones after sigmoid; pinball, the
/// mean over outputs of max(q (y - a), (q - 1) (y - a)) with a quantile q for each; poisson, half
/// the deviance, sum y log(y / a) - y + a, after exp.
enum class Loss { quadratic, mse, cross_entropy, pinball, poisson };

}  // namespace exactnet::dense
