"""The command line: `python run.py VERB ...`. Verbs are modules of `commands/`.

Errors become exit codes here and nowhere else: 0 done, 2 the person's mistake, 1 ours.
"""

import argparse
import importlib
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from commands.options import load_settings
from errors import DeskError, SettingError

VERBS = {
    "backtest": "run a model or a policy over historical chains and draw a report",
    "live": "trade a session: suggestions, your y/n/skip, orders",
    "train": "train a PPO model",
    "evaluate": "what a model or its training is worth, fold by fold, against baselines",
    "rlhf": "learn from your answers, ask for more, say what they are worth",
    "import": "import quotes of any vendor into a chain store",
    "download": "bring sessions from Theta Terminal into a chain store",
    "check": "look at market data once: terminal, subscription, chain, features",
    "simulate": "stand in for Theta Terminal v3 on this machine",
    "journal": "list and export what was suggested, answered, sent and filled",
    "report": "draw the report of a run again from its files",
}
CRASH_LOG = Path("runs/crash.log")


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with a call."""

    def error(self, message: str) -> NoReturn:
        raise SettingError(f"{message} (see {self.prog} --help)")


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    try:
        return _run(list(sys.argv[1:] if words is None else words))
    except DeskError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        CRASH_LOG.parent.mkdir(exist_ok=True)
        CRASH_LOG.write_text(traceback.format_exc())
        kind = type(error).__name__
        print(f"internal error: {kind}: {error}; please report {CRASH_LOG}", file=sys.stderr)
        return 1


def _run(words: list[str]) -> int:
    parser = _Parser(prog="run.py", description="A 0DTE options desk.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    chosen = next((word for word in words if word in VERBS), None)
    module = None
    for verb, summary in VERBS.items():
        subparser = verbs.add_parser(verb, help=summary, description=summary)
        if verb == chosen:  # importing one verb only keeps the start short
            module = _module(verb)
            module.add_arguments(subparser)
    arguments = parser.parse_args(words)
    assert module is not None  # argparse refuses every other word
    return int(module.main(arguments, load_settings(arguments)))


def _module(verb: str) -> ModuleType:
    name = "import_" if verb == "import" else verb  # `import` is no name Python allows
    return importlib.import_module(f"commands.{name}")


if __name__ == "__main__":
    sys.exit(main())
