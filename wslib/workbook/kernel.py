"""The kernel of a chapter: this very Python, without a reader's own settings."""

from __future__ import annotations

from pathlib import Path

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from traitlets import default
from traitlets.config import Config


class OwnKernel(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever else Jupyter calls python3."""

    @default("kernel_spec_manager")
    def _know_no_other(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])

    async def _async_interrupt_kernel(self) -> None:
        """Leave a kernel alone that has nothing more to do: asked to end while it
        starts to, it now and then would complain of a KeyboardInterrupt."""


def configure(folder: Path) -> Config:
    """What papermill starts it with. Its connection file lies in `folder`. Without the
    encryption each kernel warns that others on this machine could listen."""
    file = str(folder / "kernel.json")
    kernel = {"connection_file": file, "transport_encryption": "auto"}
    client = {"kernel_manager_class": OwnKernel}
    return Config(KernelManager=kernel, NotebookClient=client)


def clean_environment(environment: dict[str, str], folder: Path) -> None:
    """Let no profile of IPython, no startup file and no backend of matplotlib that a
    reader has chosen take part: "Agg" would give a book without figures."""
    environment["IPYTHONDIR"] = str(folder / "ipython")
    for name in ("PYTHONSTARTUP", "MPLBACKEND", "MATPLOTLIBRC"):
        environment.pop(name, None)
