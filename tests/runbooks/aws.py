"""The AWS CLI, kept warm: `aws.py` reads a command from standard input, runs the CLI's own `main` on it in a fork, and answers.

Most of a drill's time was Python reading the CLI's code, once a line. A command is its words, each ended by a NUL, after one word
with their number and one with the Region; the answer is a line with the exit status and the number of bytes, then the bytes.
Run by the Python of `.local/venv/tools`.

Invariant: every command is a process of its own, with the environment that this one was started with and the Region that it was
given; only the modules are shared.
"""

import os
import sys
import tempfile

import awscli.clidriver
import awscli.handlers  # noqa: F401 (what a first command would import)


def words():
    """The next command's words, or None at the end."""
    text = b""
    wanted = None
    while wanted is None or text.count(b"\0") < wanted:
        more = os.read(0, 1)
        if not more:
            return None
        text += more
        if wanted is None and more == b"\0":
            wanted = int(text[:-1])
            text = b""
    return [word.decode() for word in text.split(b"\0")[:-1]]


def run(region, command, output):
    """In the child: everything that is written goes to `output`."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ["AWS_DEFAULT_REGION"] = os.environ["AWS_REGION"] = region
    sys.argv = ["aws", *command]
    status = 255
    try:
        status = awscli.clidriver.main()
    except SystemExit as ended:
        status = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status or 0)


def main():
    while (given := words()) is not None:
        region, *command = given
        with tempfile.TemporaryFile() as output:
            child = os.fork()
            if child == 0:
                run(region, command, output.fileno())
            _, status = os.waitpid(child, 0)
            output.seek(0)
            answer = output.read()
        os.write(1, f"{os.waitstatus_to_exitcode(status)} {len(answer)}\n".encode() + answer)


main()
# Nothing of the modules has to be put away.
os._exit(0)
