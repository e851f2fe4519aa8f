"""Network files: safetensors with the state of a training; docs/file-format.md describes them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from exactnet.activations import OBJECTS, Activation, describe
from exactnet.base.files import as_name, atomic_write, head_of, parts
from exactnet.dense.history import OptimizerState
from exactnet.dense.layers import check_shapes

N = TypeVar("N")

FORMAT = "exactnet.Network"
VERSION = "1"

_ENTRIES = ("format", "version", "activations", "generator", "steps", "epochs")
# of the state of the optimiser: velocities or first moments, and second moments of Adam
_SUFFIXES = ("_velocity", "_second_moment")
_DTYPES = ("F32", "F64")
_EXACT = re.compile(rb'\s*\{.*"format"\s*:\s*"exactnet"', re.DOTALL)  # of the other kind of file
_INTEGER = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)


def save(fields: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Do what `Network.save` describes; fields are those of `Layers.__getstate__`."""
    tensors = {}
    state: OptimizerState | None = fields["state"]
    for suffix, layers in (
        ("", zip(fields["weights"], fields["biases"], strict=True)),
        (_SUFFIXES[0], state.first if state is not None else []),
        (_SUFFIXES[1], (state.second if state is not None else None) or []),
    ):
        for k, layer in enumerate(layers):
            for kind, array in zip(("weights", "biases"), layer, strict=True):
                name = f"layers.{k}.{kind}{suffix}"
                tensors[name] = np.ascontiguousarray(array)
                _check_finite(name, tensors[name])
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "activations": json.dumps([_activation_entry(a) for a in fields["activations"]]),
        "generator": str(fields["generator"]),
        "steps": str(state.steps if state is not None else 0),
        "epochs": str(fields["epochs"]),
    }
    if fields["classes"] is not None:
        metadata["classes"] = json.dumps(fields["classes"])
    # As the library would write it, which makes a copy of everything first, in one go. By name the
    # tensors are in its order, for they are all of one type.
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name, array in sorted(tensors.items()):
        start, end = end, end + array.nbytes
        dtype = f"F{8 * array.itemsize}"
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(path, binary=True) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, array in sorted(tensors.items()):
            file.write(array.astype(array.dtype.newbyteorder("<"), copy=False))


def load(path: str | os.PathLike[str], build: Callable[[dict[str, Any]], N]) -> N:
    """Do what `Network.load` describes, with what `build` makes of the fields that were saved."""
    from safetensors import SafetensorError, safe_open

    name = as_name(path)
    with open(name, "rb"):  # whose errors name the file
        pass
    try:
        with safe_open(name, framework="np") as file:
            return build(_load(file))
    except (SafetensorError, OSError) as error:
        if _EXACT.match(head_of(name)):
            raise ValueError(
                f"{name}: it holds an exact network: ExactNetwork.load reads it"
            ) from None
        reason = " ".join(str(error).split())
        raise ValueError(f"{name}: not a network file, or damaged: {reason}") from None
    except (ValueError, OverflowError) as error:  # the latter for integers beyond floats
        raise ValueError(f"{name}: {error}") from None


def _load(file: Any) -> dict[str, Any]:
    metadata = file.metadata() or {}
    if metadata.get("format") != FORMAT:
        raise ValueError(f'not a network file: its metadata has no "format" of "{FORMAT}"')
    if metadata.get("version") != VERSION:
        raise ValueError(
            f"version {metadata.get('version')!r:.40} of the format is unknown; "
            f"this package reads version {VERSION}"
        )
    _check_names(set(metadata) - {"classes"}, _ENTRIES, "metadata")
    activations = _list(metadata, "activations", "with one entry per layer")
    activations = [_activation(entry) for entry in activations]
    for key in ("generator", "steps", "epochs"):
        value = metadata[key]
        if not _INTEGER.fullmatch(value) or int(value) >= 2**64:
            raise ValueError(f"{key} must be an integer from 0 to 2**64 - 1, not {value!r:.40}")

    kinds = ("weights", "biases")
    names = [f"layers.{k}.{kind}" for k in range(len(activations)) for kind in kinds]
    present = set(file.keys())
    suffixes = [s for s in _SUFFIXES if any(name.endswith(s) for name in present)]
    if suffixes == [_SUFFIXES[1]]:
        raise ValueError("there are second moments but no first ones")
    of_state = [f"{name}{suffix}" for suffix in suffixes for name in names]
    _check_names(present, (*names, *of_state), "tensors")
    dtypes = {name: file.get_slice(name).get_dtype() for name in (*names, *of_state)}
    for name, dtype in dtypes.items():
        if dtype not in _DTYPES or dtype != dtypes[names[0]]:
            allowed = "F32 or F64" if dtype not in _DTYPES else f"{dtypes[names[0]]} as the others"
            raise ValueError(f"{name} must be of type {allowed}, not {dtype}")

    weights, biases = ([_tensor(file, name) for name in names[k::2]] for k in (0, 1))
    check_shapes(weights, biases)
    shapes = [array.shape for layer in zip(weights, biases, strict=True) for array in layer]
    moments = [_moments(file, names, shapes, suffix) for suffix in suffixes]
    second = moments[1] if len(moments) == 2 else None
    if second is not None and any((a < 0).any() for layer in second for a in layer):
        raise ValueError("second moments are below 0")
    steps = int(metadata["steps"])
    return {
        "weights": weights,
        "biases": biases,
        "activations": activations,
        "generator": int(metadata["generator"]),
        # the kind is not in the file, for it can be told
        "state": OptimizerState("sgd" if second is None else "adam", moments[0], second, steps)
        if moments
        else None,
        "epochs": int(metadata["epochs"]),
        "classes": _list(metadata, "classes", "of names") if "classes" in metadata else None,
    }


def _moments(
    file: Any, names: list[str], shapes: list[tuple[int, ...]], suffix: str
) -> list[tuple[Any, Any]]:
    """Return one part of the optimiser's state, (weights, biases) per layer."""
    arrays = [_tensor(file, f"{name}{suffix}") for name in names]
    for name, array, shape in zip(names, arrays, shapes, strict=True):
        if array.shape != shape:
            raise ValueError(f"{name}{suffix} has shape {array.shape}, not {shape}")
        _check_finite(f"{name}{suffix}", array)
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def _tensor(file: Any, name: str) -> npt.NDArray[Any]:
    """Return a tensor, read in parts between which Ctrl-C is answered."""
    source = file.get_slice(name)
    shape = source.get_shape()
    if not shape:
        return np.array(file.get_tensor(name))
    result = np.empty(shape, {"F32": np.float32, "F64": np.float64}[source.get_dtype()])
    for part in parts(result):
        result[part] = source[part]
    return result


def _check_finite(name: str, array: npt.NDArray[Any]) -> None:
    if not all(np.isfinite(array[part]).all() for part in parts(array)):
        raise ValueError(f"{name} holds numbers that are not finite")


def _check_names(present: Any, expected: tuple[str, ...], what: str) -> None:
    odd = sorted(set(present) ^ set(expected))
    if odd:
        shown = ", ".join(f"{name!r:.60}" for name in odd[:4])
        more = f" and {len(odd) - 4} more" if len(odd) > 4 else ""
        raise ValueError(f"missing or unknown {what}: {shown}{more}")


def _activation_entry(activation: Activation) -> str | dict[str, str | float]:
    if isinstance(activation, str):
        return activation
    name, slope, threshold = describe(activation)
    return {"name": name, "slope": slope, "threshold": threshold}


def _list(metadata: dict[str, str], key: str, what: str) -> list[Any]:
    try:
        entries = json.loads(metadata[key])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{key} are no JSON: {error}") from None
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{key} must be a JSON list {what}")
    return entries


def _activation(entry: Any) -> Activation:
    """Return the activation of a name or of an object that `_activation_entry` made."""
    activation: Activation | None = None
    if isinstance(entry, str):
        activation = entry
    elif isinstance(entry, dict) and all(
        type(entry.get(key)) in (int, float) for key in ("slope", "threshold")
    ):
        candidates = (kind(**{f.name: entry[f.name] for f in fields(kind)}) for kind in OBJECTS)
        # The comparison refuses what the kind has no place for, and unknown keys.
        activation = next((a for a in candidates if _activation_entry(a) == entry), None)
    if activation is None:
        raise ValueError(f"unknown activation {str(entry)[:60]!r}")
    describe(activation)
    return activation
