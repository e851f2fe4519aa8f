import numpy as np
from matplotlib.patches import Circle


def circles(ax):
    return [p for p in ax.patches if isinstance(p, Circle)]


def texts(ax):
    legend = ax.get_legend()
    found = [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label]
    found += legend.get_texts() if legend else []
    for axis in [ax.xaxis, ax.yaxis] if ax.axison else []:
        low, high = sorted(axis.get_view_interval())  # beyond which are ticks that are not drawn
        places = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
        found += [label for place, label in places if low <= place <= high]
    return [t for t in found if t.get_text() and t.get_visible()]


def check_texts(*all_axes):
    """No text lies over another, over a unit or beyond the figure."""
    figure = all_axes[0].figure
    figure.draw_without_rendering()
    found = [(t.get_text(), t.get_window_extent()) for ax in all_axes for t in texts(ax)]
    assert found
    units = [("a unit", c.get_window_extent()) for ax in all_axes for c in circles(ax)]
    x0, y0, x1, y1 = np.array([box.extents for _, box in found + units]).T
    apart = (x1[:, None] <= x0) | (x1 <= x0[:, None]) | (y1[:, None] <= y0) | (y1 <= y0[:, None])
    for k, (text, _) in enumerate(found):
        over = [(found + units)[j][0] for j in np.flatnonzero(~apart[k]) if j != k]
        assert not over, text
    n = len(found)
    assert min(x0[:n].min(), y0[:n].min()) >= -1
    assert x1[:n].max() <= figure.bbox.x1 + 1
    assert y1[:n].max() <= figure.bbox.y1 + 1
