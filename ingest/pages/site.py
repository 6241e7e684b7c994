"""The site: run report, dbt's documentation and the gate's pages, as static files."""

from __future__ import annotations

from pathlib import Path

from ingest import settings


def folder() -> Path:
    """Where the site is."""
    return settings.ROOT / ".seedbed" / "site"
