"""Geneformer, the second model family: rank value encoding, pretraining on a mixture, zero-shot evaluation."""

import os

# Nothing is asked of any server, and nothing is written outside results/; these must stand before the libraries load.
for _name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TQDM_DISABLE", "1")  # models are saved and loaded in a moment
