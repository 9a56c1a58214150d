"""Feature maps that are kept: computed once, and anew after a change."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wslib.models.features import FeatureMaps, digest_weights, keep_feature_maps

SIZE = 64


class Means(nn.Module):
    """Its trunk has the mean of each colour in each 16 x 16 pixels, and their sum."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 16, stride=16, bias=False)
        self.heads = nn.Linear(4, 2)
        weight = torch.cat([torch.eye(3), torch.ones(1, 3)])[..., None, None]
        weight = factor * weight.expand(4, 3, 16, 16) / 256
        self.conv.weight.data = weight.clone()
        self.calls = 0

    def normalize(self, images):
        return images - 0.5

    def trunk(self, images):
        self.calls += 1
        return self.conv(images)


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Five pictures of different sizes: grey, brighter from left to right."""
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "smoke"))
    (tmp_path / "pictures").mkdir()
    made = []
    for k in range(5):
        ramp = np.linspace(0, 120 + 20 * k, SIZE + 16 * k)
        pixels = np.broadcast_to(ramp[None, :, None], (SIZE - k, len(ramp), 3)).copy()
        pixels[..., 0] += 10 * k
        made.append(tmp_path / "pictures" / f"{k}.png")
        Image.fromarray(pixels.astype(np.uint8)).save(made[-1])
    return made


def ids_of(paths) -> list[str]:
    return [path.stem for path in paths]


def keep(paths, network=None, size=SIZE, batch_size=2) -> FeatureMaps:
    return keep_feature_maps(network or Means(), ids_of(paths), paths, size, batch_size)


def kept(tmp_path) -> list[str]:
    """The folders of feature maps, and the remains of such."""
    return sorted(p.name for p in tmp_path.iterdir() if "features-" in p.name and
                  p.is_dir())  # fmt: skip


def test_what_is_kept(paths):
    maps = keep(paths)
    assert len(maps) == 5 and maps.ids == ["0", "1", "2", "3", "4"]
    assert maps.sizes.tolist() == [[64 + 16 * k, 64 - k] for k in range(5)]
    assert maps.values.shape == (2, 5, 4, 4, 4) and maps.values.dtype == np.float16
    pixels = np.asarray(Image.open(paths[0]), float) / 255 - 0.5  # 64 x 64: as it is
    blocks = pixels.reshape(4, 16, 4, 16, 3).mean((1, 3)).transpose(2, 0, 1)
    np.testing.assert_allclose(maps.values[0, 0, :3], blocks, atol=1e-3)
    np.testing.assert_allclose(maps.values[0, 0, 3], blocks.sum(0), atol=1e-3)


def test_the_second_view_is_the_mirror_image(paths):
    maps = keep(paths)
    np.testing.assert_allclose(maps.values[1], maps.values[0, ..., ::-1], atol=1e-3)
    rising = np.diff(maps.values[0].astype(float), axis=3)
    assert (rising > 0).all()  # to the right, and so falling in the mirror image


def test_the_order_and_the_batches_do_not_matter(paths):
    maps = keep(paths)
    for size in (1, 3, 8):
        network = Means(1 + size / 1024)  # not to find what is there
        again = keep(paths, network, batch_size=size)
        assert network.calls == 2 * -(-5 // size)
        np.testing.assert_allclose(again.values, maps.values, atol=0.02)
    turned = keep(paths[::-1])
    np.testing.assert_array_equal(turned.values, maps.values[:, ::-1])
    np.testing.assert_array_equal(turned.sizes, maps.sizes[::-1])


def test_a_batch_is_of_rows_and_views(paths):
    maps = keep(paths)
    batch = maps.batch([3, 0, 3], [0, 1, 1])
    assert batch.shape == (3, 4, 4, 4) and batch.dtype == torch.float32
    values = torch.from_numpy(np.array(maps.values)).float()
    expected = torch.stack([values[0, 3], values[1, 0], values[1, 3]])
    assert torch.equal(batch, expected)
    assert torch.equal(maps.batch(np.array([3, 0]), 1), values[1, [3, 0]])
    assert torch.equal(maps.batch([2]), values[0, [2]])
    assert torch.equal(maps.batch([2], 1, 3), values[1, [2], 1:])
    with pytest.raises(ValueError):
        maps.batch([0, 1, 2], [0, 1])


def test_they_are_computed_once(paths, tmp_path):
    first, network = keep(paths), Means()
    again = keep(paths, network, batch_size=5)
    assert network.calls == 0 and again.digest == first.digest
    np.testing.assert_array_equal(again.values, first.values)
    np.testing.assert_array_equal(again.sizes, first.sizes)
    assert kept(tmp_path) == [f"features-{first.digest}"]


def test_neither_names_nor_folders_nor_heads_matter(paths, tmp_path):
    first, network = keep(paths), Means()
    moved = [path.rename(tmp_path / f"picture {path.name}") for path in paths]
    network.heads.weight.data += 1
    again = keep_feature_maps(network, list("abcde"), moved, SIZE)
    assert network.calls == 0 and again.digest == first.digest
    assert again.ids == list("abcde")


@pytest.mark.parametrize("change", ["picture", "order", "fewer", "size", "weights"])
def test_after_a_change_they_are_computed_anew(paths, tmp_path, change):
    first, network, size = keep(paths), Means(), SIZE
    if change == "picture":
        pixels = np.asarray(Image.open(paths[2])).copy()
        pixels[5, 5] += 1
        Image.fromarray(pixels).save(paths[2])
    elif change == "order":
        paths = paths[::-1]
    elif change == "fewer":
        paths = paths[:4]
    elif change == "size":
        size = 96
    else:
        network = Means(factor=1.01)
    again = keep(paths, network, size)
    assert network.calls > 0 and again.digest != first.digest
    assert len(kept(tmp_path)) == 2
    assert again.values.shape == (2, len(paths), 4, size // 16, size // 16)


def test_the_digest_of_weights_is_that_of_each_of_them():
    one, other = Means(), Means()
    assert digest_weights(one) == digest_weights(other)
    other.heads.bias.data += 1  # the heads read the trunk
    assert digest_weights(one) == digest_weights(other)
    other.conv.weight.data[3, 2, 15, 15] += 1e-6
    assert digest_weights(one) != digest_weights(other)
    two = nn.BatchNorm2d(3)
    before = digest_weights(two)
    two.running_mean[1] = 1e-3  # a buffer changes what the network sees, too
    assert digest_weights(two) != before and len(before) == 16


def test_a_localizers_head_does_not_change_its_features():
    from wslib.models.localizers import Localizer

    digests = set()
    for seed in range(2):
        torch.manual_seed(seed)
        features = nn.Conv2d(3, 5, 1)
        nn.init.ones_(features.weight), nn.init.zeros_(features.bias)
        digests.add(digest_weights(Localizer(features, 5, 2 + seed)))
    assert len(digests) == 1


def test_no_graph_is_kept(paths):
    maps = keep(paths)
    assert not maps.batch([0]).requires_grad
    weight = nn.Parameter(torch.ones(1))
    (maps.batch([0]) * weight).sum().backward()  # not a tensor of inference mode


@pytest.mark.parametrize("name", ["absent", "half", "text"])
def test_pictures_that_cannot_be_read(paths, tmp_path, name):
    path = tmp_path / "pictures" / f"{name}.jpg"
    if name == "half":
        noise = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[:2000])
    elif name == "text":
        path.write_text("no picture")
    expected = FileNotFoundError if name == "absent" else ValueError
    with pytest.raises(expected, match=rf"{name}\.jpg") as error:
        keep([*paths, path])
    assert "\n" not in str(error.value)
    assert kept(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_nothing(paths, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full, raising=False)
        with pytest.raises(OSError, match="No space left on device"):
            keep(paths)
    assert kept(tmp_path) == []
    assert len(keep(paths)) == 5  # and it can be done again


def test_a_network_that_fails_leaves_nothing(paths, tmp_path):
    class Failing(Means):
        def trunk(self, images):
            if self.calls == 3:
                raise RuntimeError("no memory")
            return super().trunk(images)

    with pytest.raises(RuntimeError, match="no memory"):
        keep(paths, Failing())
    assert kept(tmp_path) == []
    network = Means()
    keep(paths, network)
    assert network.calls == 6  # nothing of the first attempt was taken


@pytest.mark.parametrize(
    ("ids", "count", "size", "message"),
    [
        (5, 5, 0, "5 ids, 5 paths, 0 pixels: expected as many, 1 or more, a multiple"),
        (5, 5, 40, "5 ids, 5 paths, 40 pixels: expected .* multiple of 32"),
        (4, 5, 64, "4 ids, 5 paths, 64 pixels"),
        (0, 0, 64, "0 ids, 0 paths, 64 pixels"),
    ],
)
def test_errors(paths, tmp_path, ids, count, size, message):
    network = Means()
    with pytest.raises(ValueError, match=message) as error:
        keep_feature_maps(network, list("abcde")[:ids], paths[:count], size)
    assert "\n" not in str(error.value)
    assert network.calls == 0 and kept(tmp_path) == []


@pytest.mark.parametrize("kind", ["dense", "localizer"])
def test_of_real_networks_the_trunk_is_kept(paths, kind):
    from wslib.data.images import ImageBatches
    from wslib.models.classifiers import build_classifier
    from wslib.models.dense import DenseClassifier
    from wslib.models.localizers import build_localizer

    if kind == "dense":
        network = DenseClassifier(build_classifier("efficientnet_lite0"), 2)
    else:
        network = build_localizer("efficientnet_lite0", 2)
    maps = keep(paths[:2], network)
    (images, _), *_ = ImageBatches(paths[:2], SIZE, 2)
    with torch.no_grad():
        trunk = network.trunk(network.normalize(images))
    assert maps.values.shape == (2, 2, trunk.shape[1], 4, 4)
    torch.testing.assert_close(maps.batch([0, 1]), trunk, rtol=2e-3, atol=2e-3)
