"""What is printed of the measurements."""

from __future__ import annotations

from itertools import pairwise

# workload, peer, least "peer's time / ours" at one thread
RATIOS = [
    ("small", "jax", 7),
    ("small", "torch", 40),
    ("small", "numpy", 12),
    ("medium", "jax", 1.5),
    ("large", "jax", 1.2),
    ("large", "torch", 2),
    ("xor", "torch", 100),
    ("predict-1", "onnxruntime", 1),
    ("predict-10000", "onnxruntime", 1),
]


def show(seconds):
    unit, scale = ("s", 1) if seconds > 0.01 else ("ms", 1e3) if seconds > 1e-3 else ("us", 1e6)
    return f"{seconds * scale:.3g} {unit}"


def table(task, result, counts):
    heads = ["contender"]
    for n in counts:
        heads += [f"{n} thread{'s' * (n > 1)}", "peer / ours"]
    heads += [] if task.samples else ["loss: start, first, last", "epochs", "accuracy"]
    print(f"### {task.label()}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name in dict.fromkeys(name for name, _ in result):
        cells = [name]
        for n in counts:
            seconds, count, _ = result.get((name, n), (0, 0, None))
            note = f" ({count} run{'s' * (count > 1)})" if count < 3 else ""
            ratio = seconds / result["exactnet", n][0]
            cells += [show(seconds) + note, f"{ratio:.2f}"] if seconds else ["-", "-"]
        if not task.samples:
            report = next(result[name, n][2] for n in counts if (name, n) in result)
            losses = ", ".join(f"{report[key]:.2g}" for key in ("start", "first", "last"))
            other = " (cross entropy)" * (report["loss"] != task.loss)
            cells += [losses + other, f"{report['epochs']:,}", f"{report['accuracy']:.1%}"]
        print(f"| {' | '.join(cells)} |")
    print(flush=True)


def targets(results):
    """Yield every target: text, value (None if not measured), whether it holds."""

    def ratio(workload, above, below):
        result = results.get(workload, {})
        return result[above][0] / result[below][0] if {above, below} <= result.keys() else None

    for workload, peer, least in RATIOS:
        value = ratio(workload, (peer, 1), ("exactnet", 1))
        yield f"{workload}: {peer} / ours >= {least}", value, value and value >= least
    value = ratio("large", ("exactnet", 1), ("exactnet", 2))
    yield "large: ours at 1 thread / ours at 2 >= 1.6", value, value and value >= 1.6
    own = results.get("predict-1", {}).get(("exactnet", 1))
    value = own and 1e6 * own[0]
    yield "predict-1: ours in us < 2.5", value, value and value < 2.5
    value = results.get("at once")
    yield "two networks in two threads / one <= 1.2", value, value and value <= 1.2


def speed(tasks, results, peak, n):
    lines = []
    for name, task in tasks.items():
        weights = [a * b for a, b in pairwise(task.sizes)]
        flops = n * (6 * sum(weights) - 2 * weights[0])
        for threads in (1, 2) if not (task.samples or task.xor) else ():
            if ("exactnet", threads) in results[name]:
                rate = flops / results[name]["exactnet", threads][0] / 1e9
                lines.append(f"- {name}, {threads} thread(s): {rate:.0f}, {rate / peak:.0%} of it")
    if lines:
        print(
            "GFLOP/s of our training; the peak that NumPy's product of 1024 x 1024 matrices "
            f"reaches on one\nthread is {peak:.0f}. All operations of dense matrices count, also "
            "those with zeros, which are skipped:\nforward pass, gradients of the weights, and of "
            "all layers' inputs but the first's.\n"
        )
        print("\n".join(lines) + "\n")
