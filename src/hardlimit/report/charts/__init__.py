"""Charts: from a measurement to Vega-Lite specifications, by the measurement's name."""

from hardlimit.report.charts import context, hallucination, multimodal, reasoning, retrieval
from hardlimit.report.charts.generic import generic
from hardlimit.report.charts.lab import lab_pictures
from hardlimit.report.charts.picture import Key, Picture, Scene
from hardlimit.report.charts.theme import CONFIG

DRAWERS = hallucination.DRAWERS | context.DRAWERS | reasoning.DRAWERS | retrieval.DRAWERS | multimodal.DRAWERS

__all__ = ["CONFIG", "Key", "Picture", "Scene", "lab_pictures", "pictures"]


def pictures(scene: Scene) -> tuple[Picture, ...]:
    """Draw a measurement: in its own way where its name and its points are known ones, else in a generic way.

    Args:
        scene: the measurement and what may be laid over it.

    Returns:
        Its charts; none where it has no points or its points have no chart.
    """
    drawer = DRAWERS.get(scene.measurement.name)
    if drawer is None or not scene.measurement.points or not drawer.can_draw(scene.measurement):
        return generic(scene)
    return drawer.draw(scene)
