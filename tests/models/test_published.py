"""What is known of weights that others publish."""

from pathlib import Path

import pytest
import torch

from wslib.data.folders import data_root
from wslib.models.published import HUB, PUBLISHED, SAMS, hub_folder, list_downloads


def test_the_files_and_sizes_of_torchvision():
    from torchvision.models import get_model_weights

    for name, (file, size) in HUB.items():
        weights = get_model_weights(name).IMAGENET1K_V1
        assert weights.meta["_file_size"] == pytest.approx(size, abs=0.06)
        assert weights.url.rsplit("/", 1)[1] == file and file.startswith(f"{name}-")


def test_the_folder_of_the_hub_is_the_one_of_torch(monkeypatch, tmp_path):
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert hub_folder() == Path(torch.hub.get_dir())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert hub_folder() == Path(torch.hub.get_dir()) == tmp_path / "torch" / "hub"
    monkeypatch.setenv("TORCH_HOME", "/t")
    assert hub_folder() == Path(torch.hub.get_dir()) == Path("/t/hub")


def test_sams_lie_among_the_data():
    assert PUBLISHED["vit_h"].path == data_root() / "sam" / "sam_vit_h_4b8939.pth"
    assert SAMS[0] == "sam_tiny" and set(SAMS[1:]) == set(PUBLISHED)


def test_downloads_say_what_comes_and_where_to():
    downloads = list_downloads()
    assert set(downloads) >= {*HUB, *PUBLISHED, "voc2007", "cifar10", "caltech101"}
    assert downloads["resnet18"] == {
        **{"what": "weights of resnet18", "size": "44.7 MB", "below": "torch"},
        **{"path": "resnet18-f37072fd.pth", "fetch": None, "instead": None},
    }
    assert downloads["vit_b"]["size"] == "357.7 MiB"
    assert downloads["vit_b"]["path"] == "sam/sam_vit_b_01ec64.pth"
    assert downloads["cifar10"]["instead"] == "cifar10_pictures.zip"
    assert downloads["caltech101"]["size"] == "131 MiB"
    assert downloads["cifar10"]["fetch"] == "wslib.data.fetch.fetch_data_set"
