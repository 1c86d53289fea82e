"""Library: models that everybody on this server shares."""

from tlcore.ui import guard, shelf, walk
from tlcore.words import t

guard("library")

walk.heading(t("Library"), t("Models that people on this server have published: download them, or transfer from them."))
shelf.show()
