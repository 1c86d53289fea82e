"""What the studio remembers: projects, datasets, jobs, runs, metrics and models in SQL; their files beside it.

``Store.open()`` is the one door. SQLite (WAL) in the workspace by default, PostgreSQL by ``TLCORE_DATABASE_URL``.
"""

from tlcore.store.store import Store, workspace

__all__ = ["Store", "workspace"]
