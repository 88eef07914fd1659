"""A command that Ctrl-C ends, even where whoever started the tests has it ignored."""

import sys

LAUNCHER = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def interruptible(*command: object) -> list[str]:
    """The command, started with SIGINT's default handler; its pid is the command's own.

    A shell has what it starts in the background (``nohup sh -c 'pytest' &``) ignore SIGINT. Children inherit that, and
    Python then leaves it so: no KeyboardInterrupt is raised.
    """
    return [sys.executable, "-I", "-S", "-c", LAUNCHER, *map(str, command)]
