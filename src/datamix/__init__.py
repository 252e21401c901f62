"""datamix: what training-data composition does to deep generative models of single cells."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("datamix")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"
