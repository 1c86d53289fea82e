"""What the studio remembers: projects, datasets, jobs, runs, points and models in SQL; their files beside it.

``Store.open()`` is the way in. SQLite (WAL) in the workspace by default, PostgreSQL by ``TLCORE_DATABASE_URL``.
Never reads what is in a file, and never decides what work to do.
"""

from tlcore.store.store import Store, workspace

__all__ = ["Store", "workspace"]
