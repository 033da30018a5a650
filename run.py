"""The command line: `python run.py VERB ...`. Verbs are modules of `commands/`.

Errors become exit codes here and nowhere else: 0 done, 2 the person's mistake, 1 ours or the
machine's (a full disk, a folder that may not be read), 130 Ctrl-C.
"""

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from errors import DeskError, SettingError

VERBS = {
    "backtest": "run a model or a policy over historical chains and draw a report",
    "live": "trade a session: suggestions, your y/n/skip, orders",
    "train": "train a PPO model",
    "evaluate": "what a model or its training is worth, fold by fold, against baselines",
    "rlhf": "learn from your answers, ask for more, say what they are worth",
    "import": "import quotes of any vendor into a chain store",
    "download": "bring sessions from Theta Terminal into a chain store",
    "check": "look before trading: market data, the whole desk in simulation, the gateway",
    "simulate": "stand in for Theta Terminal v3, and IB Gateway, on this machine",
    "journal": "list and export what was suggested, answered, sent and filled",
    "report": "draw a report again, compare runs, or tell what answers earned",
}
EXAMPLES = """run.py VERB --help lists the flags of a verb. To begin with:
  run.py backtest                  the bundled model on the simulated market
  run.py live --mock --speed 60    a simulated session that asks you
  run.py check --full              everything once, unattended
"""
LONGEST_LINE = 600
"""Characters of a fault that are shown: one that quotes a file may be endless."""
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
        return _complain(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        return _complain("stopped", 130)
    except BrokenPipeError:
        return _leave_closed_pipe()
    except OSError as error:  # what nobody foresaw of disk and rights; no fault of the program
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"error: {where}{error.strerror or error}{_keep_traceback()}", 1)
    except Exception as error:
        kind = type(error).__name__
        return _complain(f"internal error: {kind}: {error}{_keep_traceback()}; please report it", 1)


def _complain(line: str, code: int) -> int:
    """Print one line without control characters on standard error; returns `code`."""
    words = "".join(c if c.isprintable() else " " for c in line)
    shown = " ".join(words.split())
    with suppress(OSError):  # nobody reads it
        print(shown[:LONGEST_LINE] + "..." * (len(shown) > LONGEST_LINE), file=sys.stderr)
    return code


def _keep_traceback() -> str:
    """Write the traceback to the crash log; where it is, or why it is not, in words."""
    try:
        CRASH_LOG.parent.mkdir(exist_ok=True)
        CRASH_LOG.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError as error:
        return f" (no details: {CRASH_LOG} cannot be written, {error.strerror})"
    return f" (details: {CRASH_LOG})"


def _leave_closed_pipe() -> int:
    """End quietly: whoever read our output, `head` say, has gone."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _say_it_anyhow() -> None:
    """A terminal that cannot show a character gets a question mark, and not an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _run(words: list[str]) -> int:
    _say_it_anyhow()
    try:
        return _run_verb(words)
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()  # a closed pipe is noticed here, not at the interpreter's end


def _run_verb(words: list[str]) -> int:
    from commands.options import load_settings  # here, so that Ctrl-C meanwhile is one line too

    parser = _Parser(
        prog="run.py",
        description="A desk for SPY options on their last day (0DTE).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    chosen = next((word for word in words if word in VERBS), None)
    module, answering = None, parser
    for verb, summary in VERBS.items():
        # half a flag is refused: what it stood for could change with the next one that is added
        subparser = verbs.add_parser(verb, help=summary, description=summary, allow_abbrev=False)
        if verb == chosen:  # importing one verb only keeps the start short
            module, answering = _module(verb), subparser
            module.add_arguments(subparser)
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        answering.error(f"unrecognized arguments: {' '.join(unknown)}")
    assert module is not None  # argparse refuses every other word
    return int(module.main(arguments, load_settings(arguments)))


def _module(verb: str) -> ModuleType:
    name = "import_" if verb == "import" else verb  # `import` is no name Python allows
    return importlib.import_module(f"commands.{name}")


if __name__ == "__main__":
    sys.exit(main())
