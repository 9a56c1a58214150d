"""The rendered set: a VOC2007 in miniature, the same each time, with tight boxes."""

import json
from collections import Counter

import numpy as np
import pytest

from wslib.data.datasets import open_voc2007
from wslib.data.rendered import voc as module
from wslib.data.rendered.drawn.drawing import Drawing, paint
from wslib.data.rendered.drawn.scenes import KINDS, Thing, render_scene
from wslib.data.rendered.voc import (
    render_voc2007,
    rendered_voc2007,
    visible_box,
    write_annotation,
)
from wslib.data.voc import (
    CLASSES,
    VOC2007,
    Annotation,
    VocObject,
    read_annotation,
)


@pytest.fixture(scope="module")
def voc(tmp_path_factory) -> VOC2007:
    folder = tmp_path_factory.mktemp("rendered")
    return VOC2007(render_voc2007(folder, 24, 6, 10, seed=3, workers=2))


def test_splits_in_the_layout_of_voc(voc):
    assert [len(voc.ids(s)) for s in ("train", "val", "trainval", "test")] == [
        24, 6, 30, 10,
    ]  # fmt: skip
    assert voc.ids("trainval") == voc.ids("train") + voc.ids("val")
    assert not set(voc.ids("trainval")) & set(voc.ids("test"))
    everything = voc.ids("trainval") + voc.ids("test")
    assert voc.available(everything) == everything


def test_it_says_that_it_is_rendered(voc):
    assert voc.rendered
    about = json.loads((voc.root / "RENDERED.json").read_text())
    assert (about["seed"], about["train"]) == (3, 24)
    text = (voc.root / "Annotations" / f"{voc.ids('val')[0]}.xml").read_text()
    assert "<database>rendered by wslib</database>" in text


def test_annotations_fit_the_images(voc):
    for image_id in voc.ids("trainval"):
        annotation = voc.annotation(image_id)
        assert voc.image(image_id).shape == (annotation.height, annotation.width, 3)
        assert 240 <= max(annotation.height, annotation.width) <= 360
        assert annotation.objects
        for thing in annotation.objects:
            x1, y1, x2, y2 = thing.box
            assert 1 <= x1 < x2 <= annotation.width
            assert 1 <= y1 < y2 <= annotation.height
            assert all(corner == int(corner) for corner in thing.box)


def test_class_lists_agree_with_the_annotations(voc):
    ids = voc.ids("trainval")
    labels = voc.labels(ids)
    meaning = {"1": 1, "0": -1, "-1": 0}
    for k, name in enumerate(CLASSES):
        path = voc.root / "ImageSets" / "Main" / f"{name}_trainval.txt"
        rows = [line.split() for line in path.read_text().splitlines()]
        assert [row[0] for row in rows] == ids
        assert [meaning[row[1]] for row in rows] == labels[:, k].tolist()


def files(voc: VOC2007) -> dict[str, bytes]:
    paths = (p for p in voc.root.rglob("*") if p.is_file())
    return {str(p.relative_to(voc.root)): p.read_bytes() for p in paths}


def test_same_seed_same_bytes_whatever_the_workers(tmp_path):
    sets = [
        files(VOC2007(render_voc2007(tmp_path / str(w), 5, 1, 2, seed=9, workers=w)))
        for w in (1, 4)
    ]
    assert sets[0] == sets[1]
    other = files(VOC2007(render_voc2007(tmp_path / "other", 5, 1, 2, seed=10)))
    assert sets[0]["JPEGImages/000001.jpg"] != other["JPEGImages/000001.jpg"]


def test_more_images_leave_the_others_as_they_are(voc, tmp_path):
    few = VOC2007(render_voc2007(tmp_path, 3, 1, 2, seed=3))
    for split in ("train", "val", "test"):
        for mine, theirs in zip(few.ids(split), voc.ids(split), strict=False):
            assert (
                few.image_path(mine).read_bytes() == voc.image_path(theirs).read_bytes()
            )
            assert few.annotation(mine).objects == voc.annotation(theirs).objects


def test_boxes_are_the_extent_of_what_is_seen():
    mask = np.zeros((20, 30), bool)
    mask[4:9, 7:12] = True
    assert visible_box(Thing("dog", mask, 1.0, False)) == (8, 5, 12, 9)


def test_what_is_seen_does_not_overlap():
    for seed in range(8):
        image, things = render_scene(np.random.default_rng(seed), 200, 150)
        assert (image.shape, image.dtype) == ((150, 200, 3), np.uint8)
        assert sum(thing.mask.astype(int) for thing in things).max() == 1
        assert all(0.3 <= thing.seen <= 1 for thing in things)


def test_scenes_are_varied():
    found, counts, difficult = Counter(), Counter(), 0
    for seed in range(100):
        _, things = render_scene(np.random.default_rng([1, seed]), 96, 72)
        found.update({thing.name for thing in things})
        counts[len(things)] += 1
        difficult += sum(thing.difficult for thing in things)
    assert set(found) == set(KINDS) <= set(CLASSES)
    assert len(KINDS) >= 8 and found.most_common(1)[0][0] == "person"
    assert 7 <= found["dog"] <= 30
    assert max(counts) >= 4 and difficult > 5


def test_some_dogs_are_cut_off_and_some_are_hidden_in_part():
    cut, hidden = 0, 0
    for seed in range(200):
        _, things = render_scene(np.random.default_rng([2, seed]), 96, 72)
        for dog in (thing for thing in things if thing.name == "dog"):
            edge = np.concatenate([dog.mask[:, 0], dog.mask[:, -1], dog.mask[-1]])
            cut += dog.seen < 0.95 and bool(edge.any())
            hidden += dog.seen < 0.95 and not edge.any()
        if min(cut, hidden) >= 3:
            break
    assert cut >= 3 and hidden >= 3


@pytest.mark.parametrize("name", KINDS)
def test_every_class_is_drawn_upright_and_opaque(name):
    for seed in range(4):
        drawing = Drawing()
        how = KINDS[name].draw(drawing, np.random.default_rng(seed))
        low, high = drawing.extent()
        assert how in ("stands", "flies", "cut")
        assert how != "stands" or abs(low[1]) < 0.15 * (high - low)[1]
        picture = paint(drawing, 100 / (high - low).max())
        assert 95 <= max(picture.shape[:2]) <= 106
        alpha = picture[:, :, 3]
        assert alpha.min() >= 0 and alpha.max() == pytest.approx(1, abs=1e-4)
        assert (alpha > 0.5).mean() > 0.1


def test_paint_puts_y_up_and_shapes_on_others():
    drawing = Drawing()
    drawing.polygon([(0, 0), (2, 0), (2, 1), (0, 1)], (200, 0, 0), puff=0, grain=0)
    drawing.polygon([(0, 0.5), (9, 0.5), (9, 9), (0, 9)], (0, 0, 200), puff=0, on=True)
    picture = paint(drawing, 20)
    assert picture.shape[0] <= 24 and picture.shape[1] <= 44  # `on` adds no extent
    assert picture[6, 20, :3].tolist() == [0, 0, 200]
    assert picture[16, 20, :3].tolist() == [200, 0, 0]


def test_annotation_round_trip(tmp_path):
    objects = (
        VocObject("dog", (1.0, 2.0, 30.0, 40.5), True),
        VocObject("car", (3.0, 3.0, 9.0, 9.0)),
    )
    annotation = Annotation("000042", 100, 80, objects)
    write_annotation(tmp_path / "000042.xml", annotation)
    assert read_annotation(tmp_path / "000042.xml") == annotation


def test_silly_numbers(tmp_path):
    for count in (0, -1, 99_999_999_999, True, 1.5):
        with pytest.raises(ValueError, match=f"n_val is {count}, expected 1 to 100000"):
            render_voc2007(tmp_path, 1, count, 1)
    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match=f"seed is {seed}, expected 0 to 429496"):
            render_voc2007(tmp_path, 1, 1, 1, seed)
    with pytest.raises(ValueError, match=r"size is \(400, 300\)"):
        render_voc2007(tmp_path, 1, 1, 1, size=(400, 300))


def test_opens_and_draws_only_once(monkeypatch, tmp_path):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "build" / "smoke"))
    counts = {"n_train": 2, "n_val": 1, "n_test": 1}
    first = open_voc2007("rendered", **counts, seed=1)
    assert first.rendered and len(first.ids("train")) == 2
    assert (tmp_path / "build" / "data") in first.root.parents

    def never(*args, **options):
        raise AssertionError("drawn twice")

    monkeypatch.setattr(module, "render_voc2007", never)
    again = open_voc2007("rendered", train=2, val=1, test=1, seed=1)
    assert again.root == first.root
    with pytest.raises(AssertionError):
        rendered_voc2007(**counts, seed=2)


def test_masks_are_what_the_boxes_surround(tmp_path):
    voc = VOC2007(render_voc2007(tmp_path / "set", 6, 1, 1, seed=3))
    seen = 0
    for image_id in voc.ids("train"):
        note = voc.annotation(image_id)
        for name in {thing.name for thing in note.objects}:
            mask, void = voc.class_mask(image_id, name)
            assert mask.shape == (note.height, note.width) and not void.any()
            boxes = np.array([t.box for t in note.objects if t.name == name])
            rows, columns = np.nonzero(mask)
            first, last = boxes[:, :2].min(0), boxes[:, 2:].max(0)  # x, y; from 1
            assert [columns.min() + 1, rows.min() + 1] == first.tolist()
            assert [columns.max() + 1, rows.max() + 1] == last.tolist()
            seen += 1
    assert seen > 5
