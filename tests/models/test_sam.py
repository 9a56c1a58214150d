"""One SamPredictor from a name: what is loaded, and what is refused in one line."""

from __future__ import annotations

import hashlib
import sys
import threading
import types
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

import wslib  # noqa: F401  (lets torchvision import, which segment_anything wants)

# isort: split
import segment_anything
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from torch import nn

from wslib.data import download
from wslib.models import sam as module
from wslib.models.checkpoints import fingerprint, save_checkpoint
from wslib.models.published import PUBLISHED, SAMS, Weights
from wslib.models.sam import MARKS, sam_predictor
from wslib.models.sam_tiny import build_sam_tiny, save_sam_tiny

IMAGE = np.random.default_rng(0).integers(256, size=(48, 64, 3), dtype=np.uint8)


def small_sam(width=768, seed=0, checkpoint=None) -> Sam:
    """A Sam with a transformer of one layer, of the width of `vit_b`, for images of 64
    pixels; its weights are drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = ImageEncoderViT(
            img_size=64, embed_dim=width, depth=1, num_heads=4, out_chans=32
        )
        transformer = TwoWayTransformer(
            depth=1, embedding_dim=32, num_heads=2, mlp_dim=32
        )
        sam = Sam(
            encoder,
            PromptEncoder(32, (4, 4), (64, 64), mask_in_chans=4),
            MaskDecoder(transformer_dim=32, transformer=transformer),
        )
        nn.init.normal_(encoder.pos_embed)
    return sam.train()


@pytest.fixture
def small(monkeypatch, tmp_path):
    """The registry builds small networks; the data folder is empty."""
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    registry = segment_anything.sam_model_registry
    monkeypatch.setitem(registry, "vit_b", partial(small_sam, 768, 1))
    monkeypatch.setitem(registry, "vit_l", partial(small_sam, 1024, 1))


def line(error) -> str:
    """What an error says, after a look whether it is one line."""
    assert "\n" not in str(error.value)
    return str(error.value)


def save(path, sam, **changes):
    """Its `state_dict` as the published files hold it; None leaves a weight out."""
    state = {**sam.state_dict(), **changes}
    torch.save({k: v for k, v in state.items() if v is not None}, path)
    return path


# -------------------------------------------------------------------------- loading


def test_the_real_vit_b_with_random_weights(tmp_path):
    """The same architecture, the same names: only the numbers are not the published."""
    torch.manual_seed(0)
    network = segment_anything.sam_model_registry["vit_b"]()
    assert sum(p.numel() for p in network.parameters()) == PUBLISHED["vit_b"].parameters
    told = fingerprint(network)
    path = save(tmp_path / "sam_vit_b.pth", network)
    assert abs(path.stat().st_size - PUBLISHED["vit_b"].size) < 2e5  # only its frame
    predictor = sam_predictor("vit_b", "cpu", path)
    path.unlink()
    assert isinstance(predictor, segment_anything.SamPredictor)
    assert fingerprint(predictor.model) == told and not predictor.model.training


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_marks_and_sizes_are_those_of_the_real_networks(name):
    with torch.device("meta"):
        network = segment_anything.sam_model_registry[name]()
    key, side = MARKS[name]
    assert network.state_dict()[key].shape[-1] == side
    count = sum(p.numel() for p in network.parameters())
    assert count == PUBLISHED[name].parameters
    assert 0 < PUBLISHED[name].size - 4 * count < 2e5
    told = PUBLISHED[name].path.stem.rsplit("_", 1)[1]  # as its authors name files
    assert PUBLISHED[name].checksum.startswith(f"md5:{told}")


@pytest.mark.parametrize("below", ["model", None])
def test_predictions_are_those_of_the_saved_network(small, tmp_path, below):
    network = small_sam()
    path = save(tmp_path / "a.pth", network)
    if below:
        save_checkpoint(path, network, epoch=3)
    predictor = sam_predictor("vit_b", torch.device("cpu"), path)
    theirs = segment_anything.SamPredictor(network.eval())
    points = {"point_coords": np.array([[40.0, 10]]), "point_labels": np.array([1])}
    told = []
    for each in (predictor, theirs):
        each.set_image(IMAGE)
        told.append(each.predict(**points))
    assert told[0][0].shape == (3, 48, 64)
    for mine, other in zip(*told, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_sam_tiny_from_a_file_in_half_precision(tmp_path):
    network, path = build_sam_tiny(seed=3), tmp_path / "tiny.pt"
    save_sam_tiny(path, network, steps=1)
    predictor = sam_predictor("sam_tiny", "cpu", path)
    expected = network.state_dict()
    for key, value in predictor.model.state_dict().items():
        assert value.dtype == expected[key].dtype
        torch.testing.assert_close(value, expected[key], rtol=1e-3, atol=1e-6)
    predictor.set_image(IMAGE)
    masks, scores, logits = predictor.predict(np.array([[9, 9]]), np.array([1]))
    assert masks.shape == (3, 48, 64) and scores.shape == (3,) and logits.ndim == 3


def test_sam_tiny_is_the_default_and_needs_no_data(monkeypatch, tmp_path):
    import wslib.models.sam_tiny as tiny

    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(tiny, "WEIGHTS", tmp_path / "tiny.pt")
    save_sam_tiny(tiny.WEIGHTS, build_sam_tiny(seed=5))
    predictor = sam_predictor()
    assert predictor.model.name == "sam_tiny"
    assert not (tmp_path / "none").exists()


def test_the_file_is_noted_for_the_build(small, tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIB_DATA_NOTES", str(tmp_path / "notes"))
    path = save(tmp_path / "a.pth", small_sam())
    sam_predictor("vit_b", "cpu", path)
    assert (tmp_path / "notes").read_text() == f"{path}\n"


# ---------------------------------------------------------------- files that are wrong


def refuse(name, path, says) -> None:
    with pytest.raises(ValueError) as error:
        sam_predictor(name, "cpu", path)
    assert line(error).startswith(f"{path}: ") and says in line(error)


def test_unknown_names():
    with pytest.raises(ValueError) as error:
        sam_predictor("vit_x")
    assert line(error) == (
        "unknown SAM 'vit_x', expected one of sam_tiny, vit_b, vit_l, vit_h, mobile_sam"
    )
    with pytest.raises(ValueError, match="'default'"):  # of their registry, not of ours
        sam_predictor("default")
    with pytest.raises(ValueError, match="device 'tpu': not on this machine"):
        sam_predictor("sam_tiny", "tpu")


def test_another_networks_file(small, tmp_path):
    b = save(tmp_path / "b.pth", small_sam(768))
    large = save(tmp_path / "l.pth", small_sam(1024))
    refuse("vit_l", b, "holds the weights of vit_b, expected those of vit_l")
    refuse("vit_h", b, "holds the weights of vit_b, expected those of vit_h")
    refuse("vit_b", large, "holds the weights of vit_l, expected those of vit_b")
    refuse("sam_tiny", b, "holds the weights of vit_b, expected those of sam_tiny")
    tiny = tmp_path / "tiny.pt"
    save_sam_tiny(tiny, build_sam_tiny())
    refuse("vit_b", tiny, "holds the weights of sam_tiny, expected those of vit_b")


def test_a_network_without_an_image_encoder_is_no_sam(tmp_path):
    path = tmp_path / "a.pth"
    save_checkpoint(path, nn.Linear(2, 3))
    refuse("vit_b", path, f"not the weights of a SAM, expected {', '.join(SAMS)}")
    torch.save({"model": [1.0]}, path)
    refuse("vit_b", path, "not the weights of a SAM")
    torch.save({"image_encoder.pos_embed": 768}, path)
    refuse("vit_b", path, "not the weights of a SAM")


def test_missing_and_unexpected_weights(small, tmp_path):
    path, key = tmp_path / "a.pth", "mask_decoder.iou_token.weight"
    save(path, small_sam(), **{key: None})
    refuse("vit_b", path, f"do not fit vit_b: {key} is absent, expected (1, 32)")
    save(path, small_sam(), **{"mask_decoder.hf_token.weight": torch.zeros(1, 32)})
    refuse("vit_b", path, "mask_decoder.hf_token.weight is (1, 32), expected absent")
    save(path, small_sam(), **{key: torch.zeros(1, 31)})
    refuse("vit_b", path, f"{key} is (1, 31), expected (1, 32)")
    save(path, small_sam(), **{key: torch.full((1, 32), torch.nan)})
    refuse("vit_b", path, f"{key} holds numbers that are not finite")


def test_truncated_files_and_other_files(small, tmp_path):
    path = save(tmp_path / "a.pth", small_sam())
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"<html>not found</html>"):
        path.write_bytes(content)
        refuse("vit_b", path, "not a checkpoint, or damaged")
    torch.save([1, 2], path)
    refuse("vit_b", path, "not a checkpoint: list")
    torch.save({"image_encoder.pos_embed": Code()}, path)
    refuse("vit_b", path, "refused, as it holds")
    with pytest.raises(FileNotFoundError) as error:
        sam_predictor("vit_b", "cpu", tmp_path / "none.pth")
    assert line(error) == f"{tmp_path / 'none.pth'}: no such checkpoint"


class Code:
    """Something that only code can bring back."""


# --------------------------------------------------------------------------- download


class Server(ThreadingHTTPServer):
    """Serves `content` under any name, `cut` bytes of it at a time, or a `status`."""

    daemon_threads = True

    def __init__(self, content: bytes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cut, self.status, self.requests = content, None, 200, 0
        self.url = f"http://127.0.0.1:{self.server_port}/sam_vit_b_test.pth"

    def handle_error(self, *_):  # a client that went away
        pass


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        if self.server.status != 200:
            return self.send_error(self.server.status)
        asked, content = self.headers["Range"], self.server.content
        start = int(asked[6:-1]) if asked else 0
        self.send_response(206 if start else 200)
        if start:
            told = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", told)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", '"one"')
        self.end_headers()
        stop = start + self.server.cut if self.server.cut else None
        self.wfile.write(content[start:stop])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(small, tmp_path, monkeypatch):
    """A server of a small `vit_b` in the place of the published one."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download, "PAUSES", (0, 0))
    content = save(tmp_path / "served.pth", small_sam()).read_bytes()
    with Server(content) as server:
        weights = Weights(server.url, len(content), md5(content), 0)
        monkeypatch.setitem(module.PUBLISHED, "vit_b", weights)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def md5(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


def test_a_missing_file_is_downloaded_once(server, tmp_path):
    path = PUBLISHED["vit_b"].path
    assert path == tmp_path / "data" / "sam" / "sam_vit_b_test.pth"
    predictor = sam_predictor("vit_b", "cpu")
    assert fingerprint(predictor.model) == fingerprint(small_sam())
    assert path.read_bytes() == server.content
    sam_predictor("vit_b", "cpu")
    assert server.requests == 1


def test_a_cut_download_goes_on(server):
    server.cut = len(server.content) // 2 + 1
    sam_predictor("vit_b", "cpu")
    assert server.requests == 2


def failure() -> str:
    with pytest.raises(RuntimeError) as error:
        sam_predictor("vit_b", "cpu")
    return line(error)


def test_failures_say_which_file_is_expected_where(server, tmp_path):
    path = PUBLISHED["vit_b"].path
    expected = f"; vit_b is expected in {path}, and sam_tiny needs no file"
    server.status = 404
    assert failure() == f"{server.url}: HTTP 404 Not Found{expected}"
    server.status, server.content = 200, bytes(len(server.content))
    assert "its MD5 is" in failure() and failure().endswith(expected)
    server.content = server.content[:-1]
    assert "the server offers" in failure() and not path.exists()


def test_no_network(small, monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "*")
    url = "http://127.0.0.1:9/sam_vit_b_test.pth"
    monkeypatch.setitem(module.PUBLISHED, "vit_b", Weights(url, 1, "md5:0", 0))
    assert failure().startswith(f"{url}: no connection")
    assert failure().endswith(
        f"; vit_b is expected in {tmp_path / 'data' / 'sam' / 'sam_vit_b_test.pth'}, "
        "and sam_tiny needs no file"
    )


def test_a_file_that_is_not_the_published_one(server):
    path = PUBLISHED["vit_b"].path
    path.parent.mkdir(parents=True)
    path.write_bytes(server.content[:-1])
    size = len(server.content)
    assert failure() == (
        f"{path}: {size - 1:,} bytes, expected {size:,}; remove it to download it again"
    )
    path.write_bytes(bytes(size))
    assert failure().startswith(f"{path}: its MD5 is") and server.requests == 0


# -------------------------------------------------------------------------- MobileSAM


def test_without_its_package_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mobile_sam", None)
    with pytest.raises(RuntimeError) as error:
        sam_predictor("mobile_sam")
    assert line(error).startswith("mobile_sam: no such package")
    assert "pip install" in line(error) and "MobileSAM.git" in line(error)


class TheirPredictor(segment_anything.SamPredictor):
    """As the package of MobileSAM has one of its own."""


def test_with_its_package_its_own_predictor_comes(small, monkeypatch, tmp_path):
    network = small_sam()
    key = "image_encoder.patch_embed.seq.0.c.weight"

    def build(checkpoint=None):
        other = small_sam(seed=1)
        other.image_encoder.patch_embed.seq = nn.Sequential(nn.Module())
        other.image_encoder.patch_embed.seq[0].c = nn.Conv2d(3, 1, 3)
        return other

    package = types.ModuleType("mobile_sam")
    package.sam_model_registry = {"vit_t": build}
    package.SamPredictor = TheirPredictor
    monkeypatch.setitem(sys.modules, "mobile_sam", package)
    monkeypatch.setitem(module.MARKS, "mobile_sam", (key, 3))
    monkeypatch.delitem(module.MARKS, "vit_b")  # this one has a vit_b's encoder
    kernel = {key: torch.ones(1, 3, 3, 3), key.replace("weight", "bias"): torch.ones(1)}
    path = save(tmp_path / "mobile_sam.pt", network, **kernel)
    predictor = sam_predictor("mobile_sam", "cpu", path)
    assert isinstance(predictor, TheirPredictor) and not predictor.model.training
    assert predictor.model.image_encoder.patch_embed.seq[0].c.weight.unique() == 1
    assert PUBLISHED["mobile_sam"].path.name == "mobile_sam.pt"


def test_the_real_package_derives_its_tables_from_the_loaded_weights(tmp_path):
    """Its attention keeps a copy of its biases that only `eval` renews."""
    mobile_sam = pytest.importorskip("mobile_sam", reason="MobileSAM is not installed")
    network = mobile_sam.sam_model_registry["vit_t"]()
    count = sum(p.numel() for p in network.parameters())
    assert count == PUBLISHED["mobile_sam"].parameters
    for name, parameter in network.named_parameters():
        if name.endswith("attention_biases"):
            nn.init.normal_(parameter)
    path = save(tmp_path / "mobile_sam.pt", network)
    predictor = sam_predictor("mobile_sam", "cpu", path)
    assert isinstance(predictor, mobile_sam.SamPredictor)
    found = [m for m in predictor.model.modules() if hasattr(m, "attention_biases")]
    assert found
    for attention in found:
        biases = attention.attention_biases[:, attention.attention_bias_idxs]
        torch.testing.assert_close(attention.ab, biases)
