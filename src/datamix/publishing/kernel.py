"""The kernel of notebooks in a run: a copy of the process that has the libraries loaded, where there is one.

`python -m datamix.publishing.kernel -f FILE` does as `python -m ipykernel_launcher -f FILE` does, which it stands for.
"""

import os
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from datamix.project.copies import do_in_copy

KERNEL = "kernel"
"""The first word of such a job."""


def offer_kernel(folder: Path) -> None:
    """Let `python3` name this kernel in what this process starts, for as long as the folder is there.

    Parameters
    ----------
    folder
        Gets its description, as Jupyter reads it, in `kernels/python3/`.
    """
    from ipykernel.kernelspec import write_kernel_spec

    command = [sys.executable, "-m", __name__, "-f", "{connection_file}"]
    write_kernel_spec(folder / "kernels" / "python3", overrides={"argv": command})
    others = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = os.pathsep.join([str(folder), *([others] if others else [])])


def run_kernel(words: Sequence[str]) -> None:
    """Be a kernel until it is told to end.

    Parameters
    ----------
    words
        Those of `ipykernel_launcher`.
    """
    from ipykernel.kernelapp import launch_new_instance

    inline = os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    if "matplotlib" in sys.modules:  # too late for what the environment says
        sys.modules["matplotlib"].use(inline)
    warnings.filterwarnings("ignore", message="IProgress not found")  # of tqdm, whose bars nobody sees here
    launch_new_instance(list(words))


def end_with_starter() -> None:
    """End, and with this process the kernel that stands in for it, when the one that started it is gone.

    A kernel of its own does so by itself; one that is a copy has another parent, which lives as long as the run.
    """
    starter = os.getppid()
    if starter == 1 and os.environ.get("JPY_PARENT_PID") != "1":  # it has gone already
        sys.exit(1)

    def watch() -> None:
        while os.getppid() == starter:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with_starter()
    status = do_in_copy([KERNEL, *sys.argv[1:]])
    if status is None:
        run_kernel(sys.argv[1:])
    sys.exit(status)
