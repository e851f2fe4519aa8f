"""Slow, plain oracles. They share no code with the package."""

from fractions import Fraction
from itertools import pairwise
from math import floor

import numpy as np

# The parameters of the nine points as the article prints them, digit for digit.
ARTICLE = {
    "b1": ["-16778681974", "-60502822101/2", "-48495714637"],
    "W2": [
        ["148", "-9237952317912/35473138591", "4049615396998340012232/18010928872046123981"],
        [
            "15800556778618364518367199397870934943209115691793/1077111270972508432064314372084032376028236629",
            "-11216317162890245084133171070123933902029519034081603343913003835232890/434989745706342223538442515057047029191074444247675999926788518821",
            "2686834406446276617746833568279126654074919365089537293846487174104542/224870468718735937295513181927691380500164378143178284849730556247",
        ],
        [
            "843610077776665412761527367413211990104912799146270139270113712675305808525969059554219936165800/154068217051841137536218687813904006692418581384372306328955832146429671252437697",
            "-57625119985396507975392986118005960657818304694554844951150042194684795633743261029837087833785575305876950/5262027877233168541064334417747189692030849998640803800770876843784630220816492104662661549",
            "100319159657643248312549073786161213853603634088990731217920689495343417295177190966187025547162361565044553868359914/11390289225651438251169009216834446835092039706616191741035899343815780751119047453235035761689895223",
        ],
    ],
    "b2": [
        "-99",
        "-31282288621675736677206673372946695670689268182842/4042938352270697695885621047346217759",
        "-912723226773529956403403228639959057460803178243124784475781762180477870767754518136094/13495462068042154164632946308945540668991317744154109409049607",
    ],
    "W3": [["1", "-1", "1"]],
    "b3": ["16"],
}


def fractions(values):
    """Convert nested lists of ints, floats, Fractions or mpq (also as arrays) exactly."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, list | tuple):
        return [fractions(v) for v in values]
    if isinstance(values, float):
        return Fraction(values)
    return Fraction(int(values.numerator), int(values.denominator))


def forward(network, X):
    """Outputs of a network at every row of X, by the definition of a layer."""
    layers = [
        (fractions(w), fractions(b), activation)
        for w, b, activation in zip(
            network.weights, network.biases, network.activations, strict=True
        )
    ]
    outputs = []
    for x in fractions(X):
        h = x
        for w, b, activation in layers:
            z = [
                sum((wi * hi for wi, hi in zip(row, h, strict=True)), start=bias)
                for row, bias in zip(w, b, strict=True)
            ]
            h = [max(Fraction(0), v) for v in z] if activation == "relu" else z
        outputs.append(h)
    return outputs


def least_theorem3(t, y, depth):
    """Second-layer weights (depth, blocks), biases and output bias of scale "least".

    For integer t and y with len(t) a multiple of depth, min(y) = 0 and gcd 1. Every condition
    on the free constant c is written down as the function of c it comes from: G is evaluated at
    c = 0 and c = 1, and the affine function of c through both is solved.
    """
    order = sorted(range(len(t)), key=t.__getitem__)
    blocks = [order[k : k + depth] for k in range(0, len(t), depth)]
    breaks = [Fraction(t[order[0]] - 1)]
    for left, right in pairwise(blocks):
        middle = (t[left[-1]] + t[right[0]]) // 2
        breaks.append(Fraction(middle) if middle > t[left[-1]] else middle + Fraction(1, 2))
    breaks.append(Fraction(t[order[-1]] + 1))
    points = [
        [(t[p], y[p]) for p in (block if i % 2 == 0 else block[::-1])]
        for i, block in enumerate(blocks)
    ]
    base = Fraction(min(block[0][1] for block in points) - 1)

    def through(j, start):
        """Value and slope at every breakpoint of the function through the j-th points."""
        pieces, value = [], Fraction(start)
        for i, block in enumerate(points):
            x, target = block[j]
            slope = (target - value) / (x - breaks[i])
            pieces.append((value, slope))
            value += slope * (breaks[i + 1] - breaks[i])
        return pieces

    def at(pieces, i, x):
        value, slope = pieces[i]
        return value + slope * (x - breaks[i])

    previous = [(base, Fraction(0))] * len(blocks)
    weights, biases = [], []
    for j in range(depth):
        sigma = 1 if j % 2 == 0 else -1
        at_zero, at_one = through(j, 0), through(j, -sigma)
        candidates = []
        for i, block in enumerate(points):
            conditions = []  # (x, target, whether equality is allowed, sign)
            if j > 0:
                conditions.append((*block[j - 1], True, -1))
            if j + 1 < depth:
                conditions.append((*block[j + 1], False, 1))
            if j == 0 and depth > 1:
                conditions.append((block[-1][0], base, True, 1))
            for x, target, equality, sign in conditions:
                f0 = sign * sigma * (at(at_zero, i, x) - target)
                f1 = sign * sigma * (at(at_one, i, x) - target)
                assert f1 > f0  # the coefficient of c is positive
                bound = -f0 / (f1 - f0)
                candidates.append(-floor(-bound) if equality else floor(bound) + 1)
        c = max(candidates, default=1)
        current = through(j, -sigma * c)
        kinks = []
        for pieces in (current, previous):
            slopes = [Fraction(0)] + [slope for _, slope in pieces]
            kinks.append([b - a for a, b in pairwise(slopes)])
        weights.append([sigma * (a - b) for a, b in zip(*kinks, strict=True)])
        biases.append(sigma * (current[0][0] - previous[0][0]))
        previous = current
    return weights, biases, base


# ---------------------------------------------------------------- float networks in plain NumPy


def numpy_activation(activation, z):
    """Value of an activation (a name or an object) and its derivative, elementwise."""
    name = activation if isinstance(activation, str) else activation.name
    slope = getattr(activation, "slope", 0.01 if name == "leaky_relu" else 1.0)
    threshold = getattr(activation, "threshold", 0.0)
    with np.errstate(over="ignore"):
        if name == "sigmoid":
            a = 1 / (1 + np.exp(-slope * (z - threshold)))
            return a, slope * a * (1 - a)
    if name == "tanh":
        return np.tanh(z), 1 - np.tanh(z) ** 2
    if name == "relu":
        return np.maximum(z, 0), (z > 0).astype(float)
    if name == "leaky_relu":
        return np.where(z > 0, z, slope * z), np.where(z > 0, 1, slope)
    if name == "step":
        return (z > threshold).astype(float), np.zeros_like(z)
    if name == "softmax":
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True), None
    if name == "exp":
        with np.errstate(over="ignore"):
            return np.exp(z), np.exp(z)
    assert name == "linear"
    return z, np.ones_like(z)


def numpy_pre_activations(network, X):
    a, result = X, []
    for w, b, activation in zip(network.weights, network.biases, network.activations, strict=True):
        result.append(a @ w.astype(float).T + b)
        a, _ = numpy_activation(activation, result[-1])
    return result


def numpy_forward(network, X):
    return numpy_activation(network.activations[-1], numpy_pre_activations(network, X)[-1])[0]


def numpy_output_loss(activation, z, y, loss, quantiles=None):
    """Mean loss from the last pre-activations."""
    if loss == "cross_entropy":
        if activation == "softmax":
            high = z.max(axis=1, keepdims=True)
            log_sum = high + np.log(np.exp(z - high).sum(axis=1, keepdims=True))
            return (y * (log_sum - z)).sum(axis=1).mean()
        slope = getattr(activation, "slope", 1.0)
        s = slope * (z - getattr(activation, "threshold", 0.0))
        return (np.logaddexp(0, s) - s * y).sum(axis=1).mean()
    if loss == "poisson":
        a = np.exp(z)
        logs = np.log(np.where(y > 0, y, 1) / np.where(y > 0, a, 1))
        return (y * logs - y + a).sum(axis=1).mean()
    error = y - numpy_activation(activation, z)[0]
    if loss == "pinball":
        return np.maximum(quantiles * error, (np.array(quantiles) - 1) * error).mean()
    squares = error**2
    return squares.sum(axis=1).mean() / 2 if loss == "quadratic" else squares.mean()


def numpy_loss(network, X, y, loss, quantiles=None):
    z = numpy_pre_activations(network, X)[-1]
    return numpy_output_loss(network.activations[-1], z, y, loss, quantiles)


def numpy_train(
    network, weights, biases, X, y, loss, epochs, batch_size, learning_rate, momentum, nesterov
):
    """Minibatch SGD in the order of the data, on lists of weights and biases, in place."""
    parameters = [*weights, *biases]
    velocities = [np.zeros_like(p) for p in parameters]
    losses = []
    for _ in range(epochs):
        total = 0.0
        for begin in range(0, len(X), batch_size):
            x, t = X[begin : begin + batch_size], y[begin : begin + batch_size]
            values, derivatives = [x], []
            for w, b, activation in zip(weights, biases, network.activations, strict=True):
                z = values[-1] @ w.T + b
                a, derivative = numpy_activation(activation, z)
                values.append(a)
                derivatives.append(derivative)
            a, last = values[-1], network.activations[-1]
            total += len(x) * numpy_output_loss(last, z, t, loss)
            if loss == "cross_entropy":
                delta = a - t
            else:
                delta = (a - t) * (1 if loss == "quadratic" else 2 / a.shape[1]) * derivatives[-1]
            gradients = []
            for k in reversed(range(len(weights))):
                gradients.append((delta.T @ values[k] / len(x), delta.mean(axis=0)))
                if k > 0:
                    delta = delta @ weights[k] * derivatives[k - 1]
            gradients.reverse()
            flat = [g for g, _ in gradients] + [g for _, g in gradients]
            for p, v, g in zip(parameters, velocities, flat, strict=True):
                v *= momentum
                v -= learning_rate * g
                p += momentum * v - learning_rate * g if nesterov else v
        losses.append(total / len(X))
    return losses


def exact_gradients(net, X, y):
    """(dW, db) of every layer of a ReLU or linear network in Fractions: the gradient of the mean of
    1/2 sum (a - y)^2."""
    layers = list(zip(net.weights, net.biases, net.activations, strict=True))
    gradients = [
        ([[Fraction(0)] * w.shape[1] for _ in range(w.shape[0])], [Fraction(0)] * w.shape[0])
        for w, _, _ in layers
    ]
    for x, t in zip(X, y, strict=True):
        outputs = [[Fraction(float(v)) for v in x]]
        for w, b, activation in layers:
            z = [
                Fraction(float(c))
                + sum(Fraction(float(v)) * u for v, u in zip(row, outputs[-1], strict=True))
                for row, c in zip(w, b, strict=True)
            ]
            outputs.append([max(v, Fraction(0)) for v in z] if activation == "relu" else z)
        delta = [a - Fraction(float(v)) for a, v in zip(outputs[-1], t, strict=True)]
        for k in reversed(range(len(layers))):
            w, _, activation = layers[k]
            if activation == "relu":
                delta = [
                    d if a > 0 else Fraction(0) for d, a in zip(delta, outputs[k + 1], strict=True)
                ]
            for o, d in enumerate(delta):
                gradients[k][1][o] += d / len(X)
                for i, a in enumerate(outputs[k]):
                    gradients[k][0][o][i] += d * a / len(X)
            delta = [
                sum(Fraction(float(w[o, i])) * d for o, d in enumerate(delta))
                for i in range(w.shape[1])
            ]
    return gradients
