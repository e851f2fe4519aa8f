"""Gates, fixed and learned."""

from itertools import product

import numpy as np
import pytest

from exactnet import Network, gates, memorize
from exactnet.activations import Step

BY_PYTHON = {
    "AND": lambda a, b: a and b,
    "OR": lambda a, b: a or b,
    "NAND": lambda a, b: not (a and b),
    "XOR": lambda a, b: a != b,
}


def test_tables():
    assert set(gates.NAMES) == set(BY_PYTHON)
    assert gates.INPUTS == tuple(product((0, 1), repeat=2))
    for name, gate in BY_PYTHON.items():
        assert gates.TRUTH[name] == tuple(int(gate(a, b)) for a, b in gates.INPUTS)


@pytest.mark.parametrize("name", gates.NAMES)
def test_fixed(name):
    network = gates.fixed(name)
    assert gates.truth_table(network) == gates.TRUTH[name]
    assert network.predict(gates.INPUTS).ravel().tolist() == list(gates.TRUTH[name])
    assert all(isinstance(a, Step) for a in network.activations)
    assert network.layer_sizes == ([2, 2, 1] if name == "XOR" else [2, 1])


def test_fixed_networks_bear_disturbed_inputs():
    """No pre-activation lies near a threshold."""
    for name, da, db in product(gates.NAMES, (-0.04, 0.04), (-0.04, 0.04)):
        outputs = gates.fixed(name).predict(np.add(gates.INPUTS, (da, db)))
        assert outputs.ravel().tolist() == list(gates.TRUTH[name])


def test_thresholds_of_the_article():
    """Weights 0.5 and 0.5: 0.4 makes the perceptron an OR and 0.7 an AND."""
    for threshold, name in ((0.4, "OR"), (0.7, "AND")):
        network = gates.fixed(name)
        assert network.weights[0].tolist() == [[0.5, 0.5]]
        assert network.activations == (Step(threshold),)
        by_hand = tuple(int(0.5 * a + 0.5 * b > threshold) for a, b in gates.INPUTS)
        assert gates.truth_table(network) == by_hand


@pytest.mark.parametrize("name", gates.NAMES)
def test_learned(name):
    for seed in (*range(10), 2**64 - 1):
        network, history = gates.learned(name, seed=seed)
        assert gates.truth_table(network) == gates.TRUTH[name]
        assert len(history.loss) == 1000
        assert np.abs(network.predict(gates.INPUTS)[:, 0] - gates.TRUTH[name]).max() < 0.05
        assert set(network.activations) == {"sigmoid"}


def test_learned_again():
    first, history = gates.learned("XOR", seed=5, epochs=7)
    second, again = gates.learned("XOR", seed=5, epochs=7)
    other, _ = gates.learned("XOR", seed=6, epochs=7)
    assert history.loss == again.loss
    assert len(history.loss) == 7
    assert all((a == b).all() for a, b in zip(first.weights, second.weights, strict=True))
    assert (first.weights[0] != other.weights[0]).any()


def test_one_unit_does_not_learn_xor():
    """Nothing else is to blame for the hidden layer."""
    network = Network([2, 1], dtype="float64", seed=1)
    network.fit(gates.INPUTS, gates.TRUTH["XOR"], epochs=1000, batch_size=4, learning_rate=0.5)
    assert gates.truth_table(network) != gates.TRUTH["XOR"]


def test_truth_table_of_other_networks():
    exact = memorize(gates.INPUTS, gates.TRUTH["XOR"])
    assert gates.truth_table(exact) == gates.TRUTH["XOR"]
    table = gates.truth_table(Network.from_arrays([[[1, 1]]], [[-0.5]], "linear"))
    assert table == (0, 0, 0, 1)  # an output of exactly 1/2 is a 0
    assert all(type(v) is int for v in table)


@pytest.mark.parametrize("make", [gates.fixed, gates.learned])
@pytest.mark.parametrize("name", ["NOR", "and", "", None, 3])
def test_unknown_gates(make, name):
    with pytest.raises(ValueError, match=r"unknown gate .*known are AND, OR, NAND, XOR"):
        make(name)


def test_bad_input():
    for sizes in ([1, 1], [2, 2], [3, 2, 1]):
        with pytest.raises(ValueError, match=f"has {sizes[0]} and {sizes[-1]}"):
            gates.truth_table(Network(sizes, seed=0))
    with pytest.raises(ValueError, match="seed"):
        gates.learned("AND", seed=-1)
    with pytest.raises(ValueError, match="epochs"):
        gates.learned("AND", epochs=0)
