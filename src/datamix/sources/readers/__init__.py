"""Published sources: one module a source, which knows its layout and its filters."""
