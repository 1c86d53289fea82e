"""Library: models shared by all users of this server."""

from tlcore.core.i18n import t
from tlcore.ui import guard, library_view, walk

guard("library")

walk.heading(t("Library"), t("Models that people on this server have published: download them, or transfer from them."))
library_view.show()
