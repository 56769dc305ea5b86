"""One contender on a card, in a process of its own, asked line by line.

    python -m benchmarks.gpu.worker MODULE FILE --options JSON --device cuda

Read from standard input, answered by a line of JSON each:

    build          build the contender and make a first meta-step
    grads PATH     write the mean and the meta-gradient of every task
    turn SECONDS   make meta-steps for so long: the seconds of each

Every meta-step ends when the device is done; the first of a turn, which wakes the
device, is not counted unless it is a turn by itself.
"""

from ..shared import session
from ..shared.problem import read
from ..shared.session import answering, build_of, command_line, serve

MOST_STEPS = 200  # of a turn


class Session(session.Session):
    """A contender on a card."""

    def turn(self, seconds: str) -> dict:
        enough, first, found = float(seconds), self.timed(), []
        if first >= enough:
            return {"seconds": [first]}
        while sum(found) < enough and len(found) < MOST_STEPS:
            found.append(self.timed())
        return {"seconds": found}


def main() -> None:
    parser = command_line()
    parser.add_argument("--device", required=True)
    args = parser.parse_args()
    with answering() as answer:
        build = build_of(args, device=args.device)
        serve(Session(build, read(args.file, args.dtype)), answer)


if __name__ == "__main__":
    main()
