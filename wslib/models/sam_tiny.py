"""`sam_tiny`: a small SAM of this project's own, so that prompting needs no network.

The prompt encoder, the mask decoder and the class around them are those of
`segment_anything` (Kirillov et al. 2023, https://arxiv.org/abs/2304.02643), built
small. In the place of the vision transformer stands a convolutional image encoder, as
in EdgeSAM (Zhou et al. 2023, https://arxiv.org/abs/2312.06660). It was trained from
scratch on pictures that code draws (`wslib.prompting.sam_training`): a toy of the real
thing, with its interface, its ambiguity and its scores. Its card says what it can and
cannot do.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from segment_anything.modeling import (
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from segment_anything.modeling.common import LayerNorm2d
from torch import Tensor, nn

from wslib.models.checkpoints import load_checkpoint, save_checkpoint

IMAGE_SIZE = 128  # pixels, the longer side; the rest is padded
STRIDE = 8  # of the image embedding
DIM = 128  # channels of the image embedding and of every token
WIDTHS = (24, 40, 72, 96)  # channels at strides 2, 4, 8 and 16
WEIGHTS = Path(__file__).with_suffix(".pt")
WITHOUT_SHAPES = WEIGHTS.with_name("sam_tiny.without_shapes.pt")  # trained so
CARD = Path(__file__).with_suffix(".json")


class Block(nn.Module):
    """Two convolutions 3 x 3 and what came in (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.one = _convolution(inputs, outputs, 3, stride)
        self.two = _convolution(outputs, outputs, 3)
        same = inputs == outputs and stride == 1
        self.skip = nn.Identity() if same else _convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.two(F.relu(self.one(x))) + self.skip(x))


class ConvolutionalEncoder(nn.Module):
    """Images (B, 3, S, S) -> embeddings (B, DIM, S / 8, S / 8).

    Four stages; their outputs are brought to stride 8 and added up, so that a place
    knows its surroundings (stride 16) and the course of edges inside it (strides 2 and
    4, whose pixels become channels).
    """

    def __init__(self):
        super().__init__()
        self.img_size = IMAGE_SIZE  # SamPredictor and Sam ask for it
        a, b, c, d = WIDTHS
        self.stem = nn.Sequential(_convolution(3, a, 3, 2), nn.ReLU())
        self.quarter = nn.Sequential(Block(a, b, 2), Block(b, b))
        self.eighth = nn.Sequential(Block(b, c, 2), Block(c, c))
        self.sixteenth = nn.Sequential(Block(c, d, 2), Block(d, d))
        folded = {"stride2": 16 * a, "stride4": 4 * b, "stride8": c, "stride16": d}
        self.to_dim = nn.ModuleDict(
            {name: nn.Conv2d(width, DIM, 1) for name, width in folded.items()}
        )
        self.smooth = nn.Conv2d(DIM, DIM, 3, padding=1, groups=DIM)
        self.norm = LayerNorm2d(DIM)

    def forward(self, images: Tensor) -> Tensor:
        """Encode images (B, 3, S, S) as (B, DIM, S / 8, S / 8)."""
        half = self.stem(images)  # (B, 24, S / 2, S / 2)
        quarter = self.quarter(half)
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        at_eighth = {
            "stride2": F.pixel_unshuffle(half, 4),
            "stride4": F.pixel_unshuffle(quarter, 2),
            "stride8": eighth,
            "stride16": F.interpolate(sixteenth, scale_factor=2, mode="bilinear"),
        }
        x = sum(self.to_dim[name](x) for name, x in at_eighth.items())  # (B, DIM, ..)
        return self.norm(x + self.smooth(x))


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1):
    """A convolution without bias, and batch normalisation."""
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


def build_sam_tiny(seed: int = 0) -> Sam:
    """A `Sam` in eval mode whose weights are drawn from `seed`."""
    side = IMAGE_SIZE // STRIDE
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        transformer = TwoWayTransformer(
            depth=2, embedding_dim=DIM, num_heads=4, mlp_dim=192
        )
        sam = Sam(
            image_encoder=ConvolutionalEncoder(),
            prompt_encoder=PromptEncoder(
                embed_dim=DIM,
                image_embedding_size=(side, side),
                input_image_size=(IMAGE_SIZE, IMAGE_SIZE),
                mask_in_chans=16,
            ),
            mask_decoder=MaskDecoder(
                transformer_dim=DIM,
                transformer=transformer,
                iou_head_depth=3,
                iou_head_hidden_dim=DIM,
            ),
        )
    return sam.eval()


def save_sam_tiny(path: Path | str, sam: Sam, **about) -> None:
    """Write the weights in half precision, and what is known `about` them."""
    half = build_sam_tiny().half()
    half.load_state_dict(sam.state_dict())
    save_checkpoint(path, half, **about)


def load_sam_tiny(path: Path | str | None = None) -> Sam:
    """The trained `sam_tiny` in eval mode, in single precision, on the CPU.

    `path` is by default the file that comes with the package. Raises FileNotFoundError,
    or ValueError, one line, for a file that is damaged or holds another network.
    """
    sam = build_sam_tiny()
    load_checkpoint(path or WEIGHTS, sam)
    return sam


def read_card() -> dict:
    """Read what the weights that come with the package were trained on, and can do."""
    return json.loads(CARD.read_text(encoding="utf-8"))


def decode(
    sam: Sam, embeddings: Tensor, sparse: Tensor, dense: Tensor
) -> tuple[Tensor, Tensor]:
    """All four masks for P prompts, each on an image of its own, in one batch.

    embeddings (P, DIM, h, w), sparse (P, tokens, DIM), dense (P, DIM, h, w) -> logits
    (P, 4, 4 h, 4 w) and predicted IoU (P, 4); the first is the single mask, the others
    the three of `multimask_output`. `MaskDecoder.predict_masks` repeats one
    image for all prompts; this is the same computation without that step.
    """
    decoder = sam.mask_decoder
    count = len(sparse)
    tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([tokens.expand(count, -1, -1), sparse], 1)
    place = sam.prompt_encoder.get_dense_pe().expand(count, -1, -1, -1)
    answered, attended = decoder.transformer(embeddings + dense, place, tokens)
    attended = attended.transpose(1, 2).reshape(embeddings.shape)
    fine = decoder.output_upscaling(attended)  # (P, DIM / 8, 4 h, 4 w)
    networks = decoder.output_hypernetworks_mlps
    weights = [mlp(answered[:, 1 + i]) for i, mlp in enumerate(networks)]
    logits = torch.einsum("pmc,pchw->pmhw", torch.stack(weights, 1), fine)
    return logits, decoder.iou_prediction_head(answered[:, 0])
