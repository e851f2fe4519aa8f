"""The command line: exactnet demo | sample | memorize | verify | plan | train | predict | draw."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from importlib import import_module
from typing import Any, NoReturn

from exactnet import __version__

# The modules of the commands, and what `exactnet --help` says of these.
_COMMANDS = {
    "demo": (
        "demo",
        "memorize nine points, then 1,797 digits, and verify both; train on the digits",
    ),
    "sample": ("sampling", "print a CSV file to try the other commands on"),
    "memorize": (
        "memorizing",
        "construct a network that reproduces a data file, verify it and save it",
    ),
    "verify": (
        "verifying",
        "check in exact arithmetic that a network reproduces a data file",
    ),
    "plan": (
        "planning",
        "print what each construction takes for data of a size, without building it",
    ),
    "train": ("training", "train a network of floats on a data file and save it"),
    "predict": ("predicting", "evaluate a network at a data file"),
    "draw": ("drawing", "draw a network"),
}


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, not at length how it would be right."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


class _Command(_Parser):
    """The parser of a command, whose module is imported when the command is used."""

    def __init__(self, *arguments: Any, module: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._module = module

    def parse_known_args(self, *arguments: Any, **options: Any) -> Any:
        module = import_module(f"exactnet.cli.{self._module}")
        self.description = module.DESCRIPTION
        module.add_arguments(self)
        self.set_defaults(run=module.run)
        known, unknown = super().parse_known_args(*arguments, **options)
        if unknown:  # which the parser above would refuse, with its own help
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0 only on success."""
    try:
        arguments = _parser().parse_args(argv)
        output = getattr(arguments, "output", None)
        # A network that goes to standard output has it for itself.
        with redirect_stdout(sys.stderr) if _is_stdout(output) else nullcontext():
            status: int = arguments.run(arguments)
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader went away; keep the interpreter from complaining when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("exactnet: interrupted", file=sys.stderr)
        return 130
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return _fail(reason)
    except (ValueError, TypeError, MemoryError) as error:
        return _fail(str(error) or "out of memory")


def _is_stdout(output: str | None) -> bool:
    if output is None:
        return False
    from exactnet.base.files import descriptor_of  # not for --version, as it needs NumPy

    return descriptor_of(output) == 1


def _fail(reason: str) -> int:
    print("exactnet: error: " + " ".join(reason.split()), file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="exactnet",
        description="Small dense networks: ReLU networks that reproduce data without error, "
        "constructed and verified in exact arithmetic, and trained networks of floats.",
    )
    parser.add_argument("--version", action="version", version=f"exactnet {__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=_Command
    )
    for name, (module, text) in _COMMANDS.items():
        commands.add_parser(name, help=text, module=module)
    return parser
