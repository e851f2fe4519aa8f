"""The packages that are compared."""

from __future__ import annotations

import random
import warnings
from functools import partial

import numpy as np

from comparison.tasks import forward
from exactnet import Network

# A contender is a function that takes the task with data and first weights; it returns
# `train(epochs)`, `params()` and `predictor(X)`, which gives a call that predicts X.


def run_exactnet(threads, task, X, y, Y, params):
    net = Network.from_arrays(*zip(*params, strict=True), task.activations)
    rest = dict(batch_size=task.batch, learning_rate=task.rate, loss=task.loss)
    rest |= dict(shuffle=not task.xor, n_threads=threads)

    def train(epochs):
        net.fit(X, Y if task.xor else y, epochs=epochs, **rest)

    return (
        train,
        lambda: zip(net.weights, net.biases, strict=True),
        lambda X: lambda: net.predict(X),
    )


def run_numpy(threads, task, X, y, Y, params):
    def views(vector):
        for W, b in params:
            yield vector[: W.size].reshape(W.shape), vector[W.size :][: b.size]
            vector = vector[W.size + b.size :]

    # Parameters and gradients are views of one vector each: a step is a single subtraction.
    vector = np.concatenate([a.ravel() for pair in params for a in pair])
    step = np.empty_like(vector)
    layers, gradients = list(views(vector)), list(views(step))
    inputs, generator = np.empty((task.batch, X.shape[1]), X.dtype), np.random.default_rng(0)

    def slope(delta, output, kind):
        if kind == "relu":
            delta *= output > 0
        else:
            delta *= output
            delta *= 1 - output

    def update(x, t):
        outputs = forward(layers, x, task)
        delta = outputs[-1] - t
        delta *= task.rate / len(x)  # here, where it is the fewest numbers
        if task.loss == "quadratic":
            slope(delta, outputs[-1], "sigmoid")
        for k in reversed(range(len(layers))):
            np.dot(delta.T, outputs[k], out=gradients[k][0])
            np.add.reduce(delta, 0, out=gradients[k][1])
            if k:
                delta = delta @ layers[k][0]
                slope(delta, outputs[k], task.activations[k - 1])
        np.subtract(vector, step, out=vector)

    def train(epochs):
        for _ in range(epochs):
            if task.xor:
                update(X, Y)
                continue
            order = generator.permutation(len(X))
            for k in range(0, len(X), task.batch):
                part = order[k : k + task.batch]
                # Mode "raise" would go through a copy.
                update(X.take(part, 0, inputs[: len(part)], "clip"), Y.take(part, 0))

    return train, lambda: layers, lambda X: lambda: forward(layers, X, task)[-1]


def run_nielsen(threads, task, X, y, Y, params):
    """Train by the method of the classic book: one sample at a time, in columns."""
    weights, biases = [W for W, _ in params], [b[:, None] for _, b in params]
    samples = [(x[:, None], t[:, None]) for x, t in zip(X, Y, strict=True)]

    def backprop(x, t):
        outputs, dw, db = [x], [], []
        for W, b in zip(weights, biases, strict=True):
            outputs.append(1 / (1 + np.exp(-(np.dot(W, outputs[-1]) + b))))
        error = outputs[-1] - t
        for k in reversed(range(len(weights))):
            db.insert(0, error * outputs[k + 1] * (1 - outputs[k + 1]))
            dw.insert(0, np.dot(db[0], outputs[k].T))
            error = np.dot(weights[k].T, db[0]) if k else None
        return dw, db

    def train(epochs):
        for _ in range(epochs):
            random.shuffle(samples)
            for k in range(0, len(samples), task.batch):
                sum_w, sum_b = map(np.zeros_like, weights), map(np.zeros_like, biases)
                part = samples[k : k + task.batch]
                for x, t in part:
                    dw, db = backprop(x, t)
                    sum_w = [s + d for s, d in zip(sum_w, dw, strict=True)]
                    sum_b = [s + d for s, d in zip(sum_b, db, strict=True)]
                rate = task.rate / len(part)
                weights[:] = [W - rate * s for W, s in zip(weights, sum_w, strict=True)]
                biases[:] = [b - rate * s for b, s in zip(biases, sum_b, strict=True)]

    return train, lambda: [(W, b.ravel()) for W, b in zip(weights, biases, strict=True)], None


def run_sklearn(threads, task, X, y, Y, params):
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")  # that training ends after `max_iter` epochs
    sgd = dict(solver="sgd", learning_rate_init=task.rate, momentum=0, alpha=0, random_state=0)
    sgd |= dict(batch_size=task.batch, shuffle=not task.xor, n_iter_no_change=10**9)
    kind = task.activations[0].replace("sigmoid", "logistic")
    net = MLPClassifier(task.sizes[1:-1], activation=kind, **sgd)
    net.partial_fit(X[: task.batch], y[: task.batch], classes=np.unique(y))
    net.coefs_, net.intercepts_ = [W.T.copy() for W, _ in params], [b.copy() for _, b in params]

    def train(epochs):
        net.set_params(max_iter=epochs, warm_start=True).fit(X, y)  # from the weights it has

    def now():
        return [(W.T, b) for W, b in zip(net.coefs_, net.intercepts_, strict=True)]

    return train, now, lambda X: lambda: net.predict_proba(X)


def run_torch(threads, task, X, y, Y, params):
    import torch
    from torch.nn.functional import cross_entropy, mse_loss

    torch.set_num_threads(threads)
    modules = []
    for (W, b), kind in zip(params, task.activations, strict=True):
        modules.append(torch.nn.Linear(*W.T.shape))
        modules[-1].weight.data, modules[-1].bias.data = torch.tensor(W), torch.tensor(b)
        if kind != "softmax":  # which is a part of the loss
            modules.append(torch.nn.ReLU() if kind == "relu" else torch.nn.Sigmoid())
    net, quadratic, scale = torch.nn.Sequential(*modules), task.loss == "quadratic", Y.shape[1] / 2
    loss = (lambda a, t: mse_loss(a, t) * scale) if quadratic else cross_entropy
    optimizer = torch.optim.SGD(net.parameters(), lr=task.rate, fused=True)
    X, T = torch.tensor(X), torch.tensor(Y if quadratic else y)

    def update(x, t):
        optimizer.zero_grad(set_to_none=True)
        loss(net(x), t).backward()
        optimizer.step()

    def train(epochs):
        for _ in range(epochs):
            if task.xor:
                update(X, T)
            else:
                for part in torch.randperm(len(X)).split(task.batch):
                    update(X[part], T[part])

    def now():
        arrays = [p.detach().numpy() for p in net.parameters()]
        return zip(arrays[::2], arrays[1::2], strict=True)

    def predictor(X):
        net.requires_grad_(False)  # once; torch.inference_mode() would cost in every call
        X = torch.tensor(X)
        return lambda: net(X)

    return train, now, predictor


def run_jax(threads, task, X, y, Y, params):
    import jax
    import jax.numpy as jnp

    kinds = dict(relu=jax.nn.relu, sigmoid=jax.nn.sigmoid, softmax=jax.nn.log_softmax)
    n, full = len(X), len(X) // task.batch * task.batch
    layers = [(jnp.array(W.T), jnp.array(b)) for W, b in params]
    X, T = jnp.array(X), jnp.array(Y if task.loss == "quadratic" else y)
    generator = np.random.default_rng(0)

    def outputs(layers, x):
        for (W, b), kind in zip(layers, task.activations, strict=True):
            x = kinds[kind](x @ W + b)
        return x

    def loss(layers, x, t):
        if task.loss == "quadratic":
            return jnp.sum((outputs(layers, x) - t) ** 2) / (2 * len(x))
        return -jnp.mean(jnp.take_along_axis(outputs(layers, x), t[:, None], 1))

    def update(layers, x, t):
        gradients = jax.grad(loss)(layers, x, t)
        return jax.tree.map(lambda p, g: p - task.rate * g, layers, gradients)

    @partial(jax.jit, donate_argnums=0)
    def epoch(layers, X, T, order):
        # To gather a batch here is faster than to gather the whole epoch before the loop.
        parts = order[:full].reshape(-1, task.batch)
        layers, _ = jax.lax.scan(lambda p, i: (update(p, X[i], T[i]), None), layers, parts)
        return update(layers, X[order[full:]], T[order[full:]]) if n > full else layers

    @partial(jax.jit, donate_argnums=0, static_argnums=3)
    def steps(layers, X, T, count):
        return jax.lax.scan(lambda p, _: (update(p, X, T), None), layers, length=count)[0]

    def train(epochs):
        nonlocal layers
        for _ in range(0 if task.xor else epochs):
            # NumPy's permutation, as jax.random's sorts, which takes far longer.
            layers = epoch(layers, X, T, generator.permutation(n).astype(np.int32))
        layers = jax.block_until_ready(steps(layers, X, T, epochs) if task.xor else layers)

    def predictor(X):
        call, X = jax.jit(outputs), jnp.array(X)
        return lambda: call(layers, X).block_until_ready()

    return train, lambda: [(np.asarray(W).T, np.asarray(b)) for W, b in layers], predictor


def run_onnxruntime(threads, task, X, y, Y, params):
    import onnxruntime
    from onnx import helper, numpy_helper

    nodes, arrays = [], []
    for k, (W, b) in enumerate(params):
        arrays += [numpy_helper.from_array(W, f"W{k}"), numpy_helper.from_array(b, f"b{k}")]
        gemm = [f"a{k}", f"W{k}", f"b{k}"]
        nodes.append(helper.make_node("Gemm", gemm, [f"z{k}"], transB=1))
        nodes.append(helper.make_node("Sigmoid", [f"z{k}"], [f"a{k + 1}"]))
    ends = ("a0", task.sizes[0]), (f"a{len(params)}", task.sizes[-1])
    ends = [[helper.make_tensor_value_info(name, 1, ["n", size])] for name, size in ends]
    graph = helper.make_graph(nodes, "net", *ends, initializer=arrays)
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [session.get_outputs()[0].name]

    def predictor(X):
        inputs = {"a0": X}
        return lambda: session.run(names, inputs)[0]

    return None, None, predictor


# The function of every contender, and the packages that it needs.
CONTENDERS = {
    "exactnet": (run_exactnet, "exactnet"),
    "numpy": (run_numpy, "numpy"),
    "nielsen": (run_nielsen, "numpy"),
    "scikit-learn": (run_sklearn, "scikit-learn"),
    "torch": (run_torch, "torch"),
    "jax": (run_jax, "jax"),
    "onnxruntime": (run_onnxruntime, "onnxruntime", "onnx"),
}
