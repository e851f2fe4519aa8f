import random

import pytest


@pytest.fixture
def rng(request):
    """A generator seeded by the test's name: the same numbers in every run, whatever the order."""
    return random.Random(request.node.name)


def random_points(rng, n_points, n_features, high=100):
    """Distinct integer points with targets, as the article draws them."""
    points = set()
    while len(points) < n_points:
        points.add(tuple(rng.randrange(high) for _ in range(n_features)))
    X = [list(p) for p in sorted(points)]
    rng.shuffle(X)
    return X, [rng.randrange(high) for _ in X]
