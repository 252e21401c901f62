"""The truth behind simulated mixtures: which gene programmes the training cells of a model hold."""

from datamix.manifest import Manifest, read_manifest
from datamix.mixture import Mixture
from datamix.profile import Profile
from datamix.sources.simulated import programmes_in


def programmes_of(mixture: Mixture, profile: Profile, manifest: Manifest | None = None) -> set[str]:
    """Return the simulated programmes that are active in the training cells of a mixture.

    Parameters
    ----------
    mixture
        One of the profile's.
    profile
        A profile whose training datasets are simulated.
    manifest
        Says which simulated corpus each dataset is, and which programmes are switched off in it; that of the project
        when not given.
    """
    manifest = manifest or read_manifest()
    datasets = {profile.baselines[mixture.baseline].dataset} if mixture.group != "alone" else set()
    if mixture.added in profile.added:
        datasets |= set(profile.added[mixture.added].datasets)
    present: set[str] = set()
    for dataset in datasets:
        options = manifest.dataset(dataset).options
        present |= programmes_in(options["corpus"]) - set(options.get("without", ()))
    return present
