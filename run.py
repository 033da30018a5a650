"""The command line: `python run.py VERB ...`. Verbs are modules of `commands/`.

Errors become exit codes here and nowhere else: 0 done, 2 the person's mistake, 1 ours.
"""

import argparse
import importlib
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from errors import DeskError

VERBS = {
    "backtest": "run a model or a policy over historical chains and draw a report",
    "train": "train a PPO model",
    "import": "import quotes of any vendor into a chain store",
    "report": "draw the report of a run again from its files",
}
CRASH_LOG = Path("runs/crash.log")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    chosen = next((word for word in words if word in VERBS), None)
    module = None
    for verb, summary in VERBS.items():
        subparser = verbs.add_parser(verb, help=summary, description=summary)
        if verb == chosen:  # importing one verb only keeps the start short
            module = importlib.import_module(
                f"commands.{verb}_" if verb == "import" else f"commands.{verb}"
            )
            module.add_arguments(subparser)
    return _guarded(module, parser.parse_args(words))


def _guarded(module: object, parsed: argparse.Namespace) -> int:
    try:
        return int(module.main(parsed))  # type: ignore[attr-defined]
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


if __name__ == "__main__":
    sys.exit(main())
