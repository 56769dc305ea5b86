"""One contender in a process of its own, asked line by line.

    python -m benchmarks.shared.worker MODULE FILE --options JSON --threads N

MODULE has the function ``build``, which is given the problem in FILE and the options.

Read from standard input, answered by a line of JSON each:

    build          build the contender and make a first meta-step
    grads PATH     write the mean and the meta-gradient of every task
    step           make one meta-step: its seconds, the result on the host included
    peak           make one meta-step: its peak memory beyond the data, in bytes

What libraries print goes to standard error.
"""

import gc
import os

from . import memory
from .problem import read
from .session import Session, answering, build_of, command_line, serve


class Watched(Session):
    """A contender and what was measured before it was built.

    ``baseline`` is the memory after the imports, with the data and the same program for
    a tiny problem, after a meta-step: libraries and compiled code are not counted, what
    the tiny problem keeps for its next meta-step is.
    """

    def __init__(self, build, problem):
        super().__init__(build, problem)
        tiny = build(problem.tiny())
        tiny.step()
        del tiny
        clean()
        self.baseline = memory.total(memory.resident, memory.family(os.getpid()))

    def step(self) -> dict:
        return {"seconds": self.timed()}

    def peak(self) -> dict:
        clean()
        pids = memory.family(os.getpid())
        known = all([memory.reset_peak(pid) for pid in pids])
        with memory.Forks(pids) as forks:
            self.contender.step()
        most = memory.total(memory.peak, pids)
        known = known and most is not None and self.baseline is not None
        return {"bytes": most + forks.most - self.baseline if known else None}


def clean() -> None:
    """Drop what nobody refers to, so that two runs have the same memory."""
    gc.collect()
    memory.give_back_free_memory()


def keep_to_cores(count: int) -> None:
    """Stay on that many cores: some libraries start a thread for each they may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def main() -> None:
    parser = command_line()
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    with answering() as answer:
        keep_to_cores(args.threads)
        memory.die_first()
        build, problem = build_of(args), read(args.file, args.dtype)
        session = Watched(build, problem)
        del problem
        serve(session, answer)


if __name__ == "__main__":
    main()
