"""The command line: a thin shell over the rooms; each verb is imported only when it is called."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from hardlimit import __version__
from hardlimit.core.errors import HardlimitError
from hardlimit.core.text import visible

COMMANDS = {
    "audit": "Measure a model against the limits and write one report.",
    "bounds": "Tell what an architecture cannot do, before anything is run.",
    "scaling": "Judge results over a family: is more still paying, flat, or at a floor?",
    "explain": "Explain one claim: what is proved, under which hypotheses, and what is not.",
    "demo": "Make a limit appear in seconds, and see where it does not.",
    "probe": "Run one probe, or show what it asks.",
    "lab": "Train small models that confront a claim, or list the experiments.",
    "report": "Write the report of an audit again, from what it left on disk.",
    "list": "List claims, probes, models or limits.",
}


def build_app() -> App:
    """Make the command-line application; no room is imported yet."""
    app = App(
        name="hardlimit",
        help="Measure a language model against the fundamental limits of scaling, and learn what will help.",
        version=f"hardlimit {__version__}",
        suppress_keyboard_interrupt=False,  # `main` says what an interruption leaves.
    )
    for name, says in COMMANDS.items():
        app.command(f"hardlimit.commands.{name}:{name}_command", name=name, help=says)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 is success, 1 a check that failed (a gate), 2 something wrong in what was asked for, 3 something wrong in the
    world (a server, a file, a missing package), 130 an interruption.
    """
    # Spinning OpenMP threads collapse on small shared machines; this must be set before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    app = build_app()
    try:
        result = app(
            list(sys.argv[1:] if arguments is None else arguments),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as error:
        print(f"hardlimit: {visible(str(error))}", file=sys.stderr)
        print("See 'hardlimit --help' for what can be asked.", file=sys.stderr)
        return 2
    except HardlimitError as error:
        print(f"hardlimit: {visible(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("hardlimit: interrupted; every finished answer is kept, and the same command goes on.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: nothing is left to say to anyone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def entry() -> None:
    """Run as the program `hardlimit`."""
    sys.exit(main())


if __name__ == "__main__":
    entry()
