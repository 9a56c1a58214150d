"""What options can be set to, for the help and for the shell, which completes them.

The package has these names too, where they mean something. Here they cost no import.
"""

from __future__ import annotations

SPLITS = ("train", "val", "trainval", "test")
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant",
    "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
VOC = ("voc2007", "rendered")
CALTECH = ("caltech3", "caltech101", "rendered")
FETCHED = ("voc2007", "synthetic_shapes", "cifar10", "caltech101")
PROTOCOLS = ("course", "voc07", "voc10")
MAPS = ("combined", "posterior", "gradcam")
METHODS = ("gradcam", "layercam", "hirescam", "gradcam++", "cam")
BACKBONES = ("efficientnet_lite0", "resnet18", "resnet50")
NETWORKS = ("simple", "deeper", "vgg", "resnet18", "lite0")
BOX_LOSSES = ("l1", "mse", "giou", "giou+l1")
AUGMENTATIONS = ("none", "mirror", "crop")
SAMS = ("sam_tiny", "mobile_sam", "vit_b", "vit_l", "vit_h")
PUBLISHED = SAMS[1:]
PIPELINES = ("centre", "points", "points+background", "box", "points+box")
DEVICES = ("auto", "cpu", "cuda")
PROFILES = ("smoke", "sample", "full")
