"""What profiles and manifests are made of: checked entries that know which of their fields decide results."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict


class ForReaders:
    """Marks a field that people read: a label, a title, a note. No result depends on it."""


Words = Annotated[str, ForReaders()]


class Settings(BaseModel):
    """Entries of a YAML file: no unknown key, no other type, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

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
