"""What everything stands on: settings, the manifest, where files lie, errors, provenance."""
