import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wslib.boxes.maps import ClassMaps, class_maps, detect, sweep
from wslib.cam import GradCAM


class Bright(nn.Module):
    """Logit of class 1: the mean brightness over all places; of class 0: its opposite.
    One feature per 4 x 4 pixels."""

    def __init__(self):
        super().__init__()
        self.features = nn.AvgPool2d(4)
        self.head = nn.Linear(3, 2, bias=False)
        self.head.weight.data = torch.tensor([[-8.0] * 3, [8.0] * 3])

    def normalize(self, images):
        return images

    def forward(self, images):
        return self.head(self.features(images).mean((2, 3)))


@pytest.fixture
def pictures(tmp_path):
    """A wide picture with a white square on the right, and a black one."""
    white = np.zeros((40, 80, 3), np.uint8)
    white[10:20, 60:80] = 255
    paths = [tmp_path / "white.png", tmp_path / "black.png"]
    Image.fromarray(white).save(paths[0])
    Image.fromarray(np.zeros_like(white)).save(paths[1])
    return ["white", "black"], paths


def explained(pictures, **options):
    model = Bright().eval()
    ids, paths = pictures
    return class_maps(GradCAM(model, [model.features]), ids, paths, 1, 32, **options)


def test_map_box_and_score_of_a_bright_square(pictures):
    maps = explained(pictures, flip=False, batch_size=1)
    assert maps.raw.shape == (2, 8, 8) and maps.probabilities.shape == (2, 2)
    assert maps.sizes.tolist() == [[80, 40], [80, 40]]
    white, black = detect(maps, 0.6).values()
    assert white.shape == (1, 5) and black.shape == (0, 5)
    x1, y1, x2, y2, score = white[0]
    assert 55 <= x1 <= 64 and x2 == 80 and 8 <= y1 <= 13 and 18 <= y2 <= 23
    share = 10 * 20 / (40 * 80)  # of the picture is white
    assert score == pytest.approx(1 / (1 + np.exp(-24 * share)), rel=1e-3)
    assert score == pytest.approx(maps.scores[0])


def test_mirror_averaging_changes_nothing_for_a_symmetric_network(pictures):
    one, two = explained(pictures, flip=False), explained(pictures, flip=True)
    np.testing.assert_allclose(one.raw, two.raw, atol=1e-6)
    np.testing.assert_allclose(one.probabilities, two.probabilities, atol=1e-6)


def test_second_box_has_a_lower_score():
    raw = np.zeros((1, 10, 20), np.float32)
    raw[0, 2:4, 2:4] = 1
    raw[0, 6:9, 12:16] = 1
    probabilities = np.array([[0.5, 0.8]])
    maps = ClassMaps(["x"], 1, raw, probabilities, np.array([[20, 10]]))
    found = detect(maps, 0.5, max_boxes=2)["x"]
    assert found[0].tolist() == pytest.approx([13, 7, 16, 9, 0.8])
    assert found[1].tolist() == pytest.approx([3, 3, 4, 4, 0.8 / 3])


def test_area_power_puts_small_boxes_behind():
    raw = np.zeros((2, 10, 20), np.float32)
    raw[0, :5, :] = 1  # half of the image
    raw[1, 2:4, 2:4] = 1  # 2 % of it
    maps = ClassMaps(["a", "b"], 0, raw, np.full((2, 1), 0.8), np.array([[20, 10]] * 2))
    plain, bent = detect(maps, 0.5), detect(maps, 0.5, area_power=0.5)
    assert [plain[i][0, 4] for i in "ab"] == pytest.approx([0.8, 0.8])
    want = [0.8 * 0.5**0.5, 0.8 * 0.02**0.5]
    assert [bent[i][0, 4] for i in "ab"] == pytest.approx(want)


def test_another_output_can_be_explained(pictures):
    told = explained(pictures, flip=False)
    shown = explained(pictures, flip=False, explain=0)
    np.testing.assert_allclose(shown.scores, told.scores)
    np.testing.assert_allclose(shown.raw, -told.raw, atol=1e-6)


def test_heatmap_of_negative_evidence_is_empty():
    maps = ClassMaps(["x"], 0, -np.ones((1, 3, 3), np.float32), np.ones((1, 1)),
                     np.array([[9, 6]]))  # fmt: skip
    assert maps.heatmap(0).shape == (6, 9) and not maps.heatmap(0).any()


def test_lower_thresholds_give_larger_boxes(pictures):
    swept = sweep(explained(pictures), [0.9, 0.5, 0.1])
    areas = [
        (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
        for box in (found["white"][0] for found in swept.values())
    ]
    assert areas == sorted(areas) and areas[0] < areas[-1]


def test_peaks_are_x_and_y():
    raw = np.zeros((2, 4, 8), np.float32)
    raw[0, 3, 6] = 1
    maps = ClassMaps(["x", "dark"], 0, raw, np.ones((2, 1)), np.array([[8, 4]] * 2))
    assert maps.peaks() == {"x": (6, 3)}


def test_second_guesses_come_last_and_say_something_else():
    raw = np.zeros((1, 10, 20), np.float32)
    raw[0, 2:6, 2:8] = 0.5  # two of the same kind, joined by little
    raw[0, 2:6, 10:14] = 1
    raw[0, 3, 8:10] = 0.25
    maps = ClassMaps(["x"], 0, raw, np.full((1, 1), 0.8), np.array([[20, 10]]))
    first = detect(maps, 0.25, max_boxes=3)["x"]
    assert first.tolist() == [pytest.approx([3, 3, 14, 6, 0.8])]
    both = detect(maps, 0.25, max_boxes=3, second=0.1)["x"]
    assert both[0].tolist() == first[0].tolist()
    assert both[1:, :4].tolist() == [
        [11, 3, 14, 6],
        [3, 3, 8, 6],
    ]  # at 0.5; not at 0.125
    total = 16 + 12 + 0.5
    assert both[1:, 4].tolist() == pytest.approx([0.08 * 16 / total, 0.08 * 12 / total])


def test_boxes_are_sorted_by_their_score():
    raw = np.zeros((1, 10, 20), np.float32)
    raw[0, 0, 0] = 1
    raw[0, 4:9, 4:18] = 0.01  # wide, and a little lighter
    maps = ClassMaps(["x"], 0, raw, np.ones((1, 1)), np.array([[20, 10]]))
    boxes = detect(maps, 0.005, max_boxes=2, area_power=1.0)["x"]
    assert boxes[0, :2].tolist() == [5, 5] and np.all(np.diff(boxes[:, 4]) < 0)
