import numpy as np
import pytest

from wslib.metrics.bootstrap import Ladder, paired_difference
from wslib.metrics.detection import evaluate

IDS = [str(k) for k in range(40)]
TRUTH = {i: np.array([[10.0, 20, 109, 69]]) for i in IDS}


def found(share: float, shift: float = 0.0) -> dict[str, np.ndarray]:
    """The first `share` of the images have a box, moved to the right by `shift`."""
    boxes = {i: np.zeros((0, 5)) for i in IDS}
    for i in IDS[: int(share * len(IDS))]:
        boxes[i] = np.array([[10 + shift, 20, 109 + shift, 69, 0.5]])
    return boxes


def climb(rungs, **options):
    ladder = Ladder(TRUTH, **options)
    kept = [ladder.step(name, boxes) for name, boxes in rungs.items()]
    frame = ladder.frame()
    assert frame["kept"].tolist() == kept
    return frame


def test_a_gain_is_the_paired_difference_and_a_loss_is_not_kept():
    rungs = {"half": found(0.5), "worse": found(0.4), "more": found(0.8)}
    frame = climb(rungs, n=200)
    assert frame["step"].tolist() == ["half", "worse", "more"]
    assert frame["AP 0.5"].tolist() == pytest.approx([50, 40, 80])
    assert frame["gain"].tolist()[1:] == pytest.approx([-10, 30])  # both over "half"
    assert frame["kept"].tolist() == [True, False, True]
    pair = paired_difference(found(0.8), found(0.5), TRUTH, [0.5], images=IDS, n=200)
    row = frame.iloc[2]
    assert [row["gain low"], row["gain high"]] == pytest.approx(
        pair.loc[pair["metric"] == "ap", ["low", "high"]].to_numpy()[0].tolist()
    )


def test_the_mean_is_over_the_iou_thresholds():
    shifted = found(1.0, shift=35)  # IoU 65 / 135: found at 0.3 and 0.4, not at 0.5
    frame = climb({"a": found(0.5), "b": shifted}, n=20)
    ap = evaluate(shifted, TRUTH).loc["ap"]
    assert frame.loc[1, ["AP 0.3", "AP 0.4", "AP 0.5"]].tolist() == ap.tolist()
    assert frame["gain"][1] == pytest.approx(ap.mean() - 50)


def test_the_same_again_gains_nothing():
    frame = climb({"a": found(0.5), "again": found(0.5)}, n=50)
    assert not frame["kept"][1] and frame["gain"][1] == 0
    assert "course" in frame.attrs["protocol"]


def test_a_frame_without_a_step_is_refused():
    with pytest.raises(ValueError, match="no step"):
        Ladder(TRUTH).frame()


def test_an_image_without_boxes_may_be_drawn():
    ladder = Ladder(TRUTH | {"none": np.zeros((0, 4))}, n=20)
    assert ladder.step(
        "false image", found(1.0) | {"none": np.array([[1.0, 1, 9, 9, 1]])}
    )
    ladder.step("clean", found(1.0))
    assert ladder.frame()["gain"][1] > 0
