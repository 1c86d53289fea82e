"""Feature maps of the two domains, before and after domain adaptation."""

from __future__ import annotations

from typing import Any

import streamlit as st

from tlcore.core.i18n import t
from tlcore.ui import charts
from tlcore.ui.formatting import message, plain


def show(report: dict[str, Any]) -> None:
    """Two maps side by side, and the domain distance by all features."""
    domains = report["domains"]
    titles = {"before": t("Before: the source model"), "after": t("After: this model")}
    names = plain(domains["source"]), plain(domains["target"])
    for place, (name, title) in zip(st.columns(2), titles.items(), strict=True):
        with place:
            charts.show(figure(domains[name], names, title), f"domains-{name}", title)
    st.caption(
        t(
            "Each point is a training example, placed by t-SNE so that examples with like features lie together; the "
            "axes mean nothing. Where the two kinds of point are mixed, the features no longer tell the domains apart."
        )
    )
    for name in ("domains", "plainer"):
        if name in report["sentences"]:
            st.markdown(message(report["sentences"][name]))


def figure(groups: dict[str, list[list[float]]], names: tuple[str, str], title: str) -> Any:
    """A scatter plot: the source domain as discs, the target domain as open diamonds."""
    import plotly.graph_objects as go

    drawn = go.Figure()
    looks = (("source", charts.TRANSFER, "circle"), ("target", charts.SCRATCH, "diamond-open"))
    for (domain, colour, symbol), name in zip(looks, names, strict=True):
        drawn.add_scatter(
            x=[x for x, _ in groups[domain]],
            y=[y for _, y in groups[domain]],
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": 7, "opacity": 0.75},
            hoverinfo="name",
        )
    hidden = {"visible": False}
    drawn.update_layout(
        height=380,
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        title={"text": title, "font_size": 14},
        xaxis=hidden,
        yaxis=hidden,
        legend={"orientation": "h"},
    )
    return drawn
