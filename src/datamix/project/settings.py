"""What profiles and manifests are made of: checked entries that know which of their fields decide results."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
"""What a name in a profile, and a dataset id, may be: they become names of files, and wildcards of the Snakefile."""

LONGEST = 80
"""Characters of a name: a mixture has two of them, and file systems take 255 bytes."""


def require_plain_name(name: str, *, what: str) -> None:
    """Refuse a name that no file or wildcard is called by: accents, spaces, hyphens, a digit in front.

    Raises
    ------
    ValueError
        With the characters that it may have.
    """
    if re.fullmatch(NAME, name) is None or len(name) > LONGEST:
        msg = (
            f"{what} {name[:100]!r} must be letters (a to z, A to Z, no accents), digits and underscores, no digit in "
            f"front, at most {LONGEST} of them"
        )
        raise ValueError(msg)


class ForReaders:
    """Marks a field that people read: a label, a title, a note. No result depends on it."""


Words = Annotated[str, ForReaders()]


class Settings(BaseModel):
    """Entries of a YAML file: no unknown key, no other type, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def content(self) -> dict[str, Any]:
        """Return what decides results, as plain values: all fields but those for readers."""
        fields = type(self).model_fields.items()
        kept = [name for name, field in fields if not any(isinstance(m, ForReaders) for m in field.metadata)]
        return {name: _plain(getattr(self, name)) for name in kept}


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.content()
    if isinstance(value, dict):
        return {name: _plain(of) for name, of in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
