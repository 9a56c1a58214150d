"""Average precision and recall of detected boxes, in the words of PASCAL VOC.

`evaluate` gives the two numbers, `precision_recall` the curve behind them. How boxes
are read, matched and counted stands in `matching`, the area below a curve in `curves`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from wslib.metrics.matching import Boxes, Protocol, match


def evaluate(
    detections: Boxes,
    ground_truth: Boxes,
    iou_thresholds: Sequence[float] = (0.3, 0.4, 0.5),
    protocol: str | Protocol = "course",
) -> pd.DataFrame:
    """Return average precision and final recall, in percent, at each IoU threshold.

    detections: {image id: (N, 5) x1, y1, x2, y2, score}; ground_truth: {image id:
    (M, 4) x1, y1, x2, y2, or (M, 5) with `difficult` last}; an id missing from either
    has no boxes there. VOC corners; one class only.
    The frame has the rows `ap` and `recall`, a column per threshold, and the protocol
    in words as `.attrs["protocol"]`. Without detections both are 0; without an object
    to be found (none at all, or all ignored) both are NaN.

    Raises ValueError, naming the image, for a wrong number of columns, for coordinates
    or scores that are not finite, and for a box with x2 < x1 or y2 < y1.
    """
    matches = match(detections, ground_truth, protocol)
    columns = {float(t): matches.at(t).ap_and_recall() for t in iou_thresholds}
    frame = pd.DataFrame(columns, index=["ap", "recall"], dtype=float) * 100
    frame.attrs["protocol"] = str(matches.protocol)
    return frame


def precision_recall(
    detections: Boxes,
    ground_truth: Boxes,
    iou_threshold: float = 0.5,
    protocol: str | Protocol = "course",
) -> pd.DataFrame:
    """Return the curve behind `evaluate`: score, recall, precision (0 to 1) per row.

    A row is one detection, or one group of equal scores, best first; detections of
    ignored objects are left out. Arguments and errors as for `evaluate`.
    """
    matches = match(detections, ground_truth, protocol)
    recall, precision, scores = matches.at(iou_threshold).curve()
    frame = pd.DataFrame({"score": scores, "recall": recall, "precision": precision})
    frame.attrs["protocol"] = str(matches.protocol)
    return frame
