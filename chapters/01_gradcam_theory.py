# %% [markdown] tags=["slide"]
# # Grad-CAM: where a classifier looks {#sec-gradcam}
#
# A classifier says *what* is in a picture. Nobody taught it to say *where*. But up to
# its last layer but one, the network keeps apart what it finds at different places.
# This chapter turns these findings into a heat map. The rest of the book turns heat
# maps into boxes, points and masks, without a box or a mask in the training data.
#
# **You will learn**
#
# - how a class activation map (CAM) follows from average pooling and a linear layer,
#   and how Grad-CAM brings the idea to any convolutional network;
# - which identities tie the two together, and how to use them as tests;
# - why one takes the gradient of the *logit* and not of the probability;
# - what the layer, the ReLU and the scaling do to a map;
# - how to check that a map shows the network and not merely the picture;
# - which method to take for which purpose, and how to measure it;
# - where all of this fails.
#
# **Device and time.** A CPU is enough: about a minute on two cores. The weights
# and the photographs come with Python packages, so no internet is needed.
#
# [Follows the *Weakly-supervised learning task* and the notes of a student who solved
# it; an appendix says where each of their items is answered. The task itself, dogs in
# VOC2007, is @sec-dogs.]{.small}

# %% tags=["parameters"]
from typing import Literal

backbone: str = "efficientnet_lite0"  # or resnet18, resnet50: these are downloaded
input_size: int = 320  # photographs are resized to this many pixels, both ways
photo_names: list[
    Literal["chelsea", "coffee", "camera", "motorcycle", "rocket", "astronaut"]
] = ["chelsea", "coffee", "camera", "motorcycle"]  # in the tables
threshold: float = 0.5  # share of a map's maximum at which an outline is drawn
n_shuffles: int = 3  # shuffled networks in the sanity check
dataset: str = "photographs"  # on which methods are compared; or "voc2007"
eval_split: str = "val"  # of voc2007
eval_limit: int = 500  # its first images, of which those with one object are taken
pixel_steps: int = 5  # in which the pixels come and go
channels: int = 32  # that Score-CAM asks for, of all that there are
n_timings: int = 9  # repetitions of each time measurement
device: str = "auto"  # "cpu", "cuda", or "auto"
seed: int = 0  # of every random choice in this chapter

# %%
import copy

import torch

from wslib.cam import (
    CAM,
    AblationCAM,
    EigenCAM,
    FinerCAM,
    GradCAM,
    GradCAMPlusPlus,
    GuidedGradCAM,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    Smoothed,
    XGradCAM,
    explain_with,
    rescale,
)
from wslib.data.images import resize_batch, resize_image
from wslib.data.photographs import read_photo
from wslib.models.classifiers import build_classifier, imagenet_classes
from wslib.runtime.device import pick_device

device = pick_device(device)

# %%
import time

import numpy as np
import pandas as pd
from IPython.display import Markdown

from wslib.boxes.boxes import boxes_from_heatmap
from wslib.cam.judging import CentreMap, judge, rank_correlation, summarise
from wslib.data.datasets import open_voc2007
from wslib.data.photographs import KINDS, one_object_photos
from wslib.metrics.overlap import box_iou
from wslib.show import figures, maps
from wslib.show.exercises import check_exercise
from wslib.show.tables import Table

figures.use_house_style()

# %% [markdown]
# ## A network and a few photographs
#
# The network is the `backbone` of the parameters, by default EfficientNet-Lite0
# [@liu2020; @tan2019], trained on the 1000 classes of ImageNet [@deng2009]. It ends, as
# ResNet [@he2016] and most of its successors do, in *global average pooling and one
# linear layer*. This ending makes the chapter short.
#
# The photographs come with scikit-image. Nobody chose them for this network, and each
# shows one thing that ImageNet has a name for, or nearly so. Each has a box around that
# thing, drawn by hand for this book. The box judges the maps and never enters the
# network. The `model` gets a batch of normalised `images` (B, 3, S, S): each photograph
# is squeezed to a square, and its map is stretched back when it is drawn. The `targets`
# are the classes of what is in the boxes.

# %%
model = build_classifier(backbone, seed=seed).to(device)
class_names = imagenet_classes()
square = (input_size, input_size)


def as_batch(pixels, size=square):
    """A photograph (H, W, 3) uint8 -> a normalised batch of one (1, 3, *size)."""
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]  # (1, 3, H, W)
    return model.normalize(resize_batch(image.to(device), size))


photos = [read_photo(name) for name in photo_names]
images = torch.cat([as_batch(photo.pixels) for photo in photos])  # (B, 3, S, S)
targets = [class_names.index(photo.name) for photo in photos]

# %% [markdown]
# @tbl-predictions lists the two likeliest classes of each photograph. (ImageNet has no
# class for motorcycles, so *moped* is as near as it gets.)

# %%
#| label: tbl-predictions
#| tbl-cap: "The two likeliest classes of each photograph, out of a thousand."
with torch.no_grad():
    logits = model(images).cpu()  # (B, 1000)
likely = logits.softmax(1).topk(2)
predictions = pd.DataFrame(
    {
        "photograph": photo_names,
        "first": [class_names[i] for i in likely.indices[:, 0]],
        "probability": likely.values[:, 0],
        "logit": logits.amax(1),
        "second": [class_names[i] for i in likely.indices[:, 1]],
        "its probability": likely.values[:, 1],
    }
)
Table(predictions, "gradcam_predictions", formats={"logit": ".1f"})

# %% [markdown]
# ## From features to a map
#
# Cut the network in front of its pooling. What arrives there is the last *feature map*
# $A$: a stack of $K$ channels, each a coarse picture of $h \times w$ places.

# %%
#| code-fold: false
with torch.no_grad():
    A = model.features(images[:1])  # (1, K, h, w)
_, K, h, w = A.shape
c = targets[0]
W = model.head.weight.detach()  # (1000, K)
b = model.head.bias.detach()  # (1000,)

# %%
#| echo: false
Markdown(
    f"Here $K = {K}$ and $h \\times w = {h} \\times {w}$: one place for each "
    f"{input_size // h} pixels of the input, both ways."
)

# %% [markdown]
# The rest of the network averages each channel over its places, and a linear layer with
# weights $W$ and biases $b$ adds up the averages. Both steps are linear, so they can be
# exchanged [@zhou2016]:
#
# $$
# y_c = b_c + \sum_k W_{ck} \, \frac{1}{hw} \sum_{ij} A_{kij}
#     = b_c + \frac{1}{hw} \sum_{ij}
#       \underbrace{\sum_k W_{ck} \, A_{kij}}_{M_{cij}}
# $$ {#eq-cam}
#
# The logit $y_c$ of class $c$ is a bias plus the *mean of a map* $M_c$. Each place adds
# its share, positive or negative. The list of these shares is the **class activation
# map**. @fig-channels takes one apart.

# %%
#| code-fold: false
M = torch.einsum("k,kij->ij", W[c], A[0])  # (h, w): the class activation map
y_c = b[c] + M.mean()  # the logit
contribution = W[c] * A[0].mean((1, 2))  # (K,): their sum is y_c - b_c

# %% tags=["slide"]
#| label: fig-channels
#| fig-cap: "From channels to a map. Six channels that move the logit of the cat most,
#|   each with what it adds to that logit. Last, the weighted sum of all channels. No
#|   channel shows the cat alone; their sum does."
#| fig-alt: "A cat; six coarse maps of single channels with spots on parts of the cat
#|   and elsewhere; and their weighted sum, bright on the cat's face and chest."
strongest = contribution.abs().argsort(descending=True)[:6].tolist()
panels = [A[0, k].cpu() for k in strongest] + [M.clamp(min=0).cpu()]
titles = [f"channel {k}: {contribution[k]:+.2f}" for k in strongest]
fig, _ = figures.image_grid(
    [photos[0].pixels] * 8,
    [photos[0].name, *titles, f"all {K}: {contribution.sum():+.2f}"],
    heatmaps=[None, *[panel / panel.max() for panel in panels]],
)
figures.Picture(fig, "gradcam_channels")

# %%
#| echo: false
top_share = contribution[strongest].sum() / contribution.sum()
Markdown(
    f"These {len(strongest)} channels make up {100 * top_share:.0f} % of the logit "
    f"without its bias; the other {K - len(strongest)} share the rest. Many channels "
    "decide together, so a single one explains little."
)

# %% [markdown] tags=["slide"]
# ## From CAM to Grad-CAM
#
# CAM needs the average and the linear layer. A network that ends in another way, such
# as AlexNet, VGG or one that writes captions, has no matrix $W$ with one weight for
# each channel. @selvaraju2017 take weights that every network has. How much does the
# logit change if channel $k$ rises a little, on average over its places?
#
# $$
# g_{kij} = \frac{\partial y_c}{\partial A_{kij}}, \qquad
# w_k = \frac{1}{hw} \sum_{ij} g_{kij}
# $$ {#eq-weights}
#
# Grad-CAM weighs the channels with $w_k$ and keeps what speaks *for* the class:
#
# $$
# L_{ij} = \mathrm{ReLU}\Big( \sum_k w_k \, A_{kij} \Big)
# $$ {#eq-gradcam}
#
# By hand it takes five lines. [Steps 1 to 3 of the notes: the gradient, its mean
# (called alpha there), the map.]{.small}

# %%
#| code-fold: false
A = A.requires_grad_()  # (1, K, h, w): the graph begins here
y = model.head(model.pool(A))  # (1, 1000)
(g,) = torch.autograd.grad(y[0, c], A)  # (1, K, h, w)
weights = g.mean((2, 3))  # (1, K): w
L = torch.einsum("bk,bkij->bij", weights, A.detach())  # (1, h, w), no ReLU yet

# %% [markdown]
# `wslib.cam.GradCAM` does the same for any network, layer and batch. It runs *one*
# forward pass and records nothing until the target layer; the gradient travels from the
# logit back to that layer and no further. `explain` returns the maps, and from the same
# pass the logits and the raw maps before ReLU and scaling.

# %%
#| code-fold: false
last = [model.target_layer]
gradcam = GradCAM(model, last).explain(images, targets)
# gradcam.maps (B, S, S), gradcam.logits (B, 1000), gradcam.raw[0] (B, h, w)

# %% [markdown]
# ::: {.callout-note title="What an implementation has to get right"}
# Many networks have in-place ReLUs, which overwrite the activation that a hook has just
# stored, and the map is silently wrong. The module hands a copy to the rest of the
# network. It leaves the model as it found it: no hook, gradient or flag stays behind,
# not even after an error. It works on frozen networks and inside `torch.no_grad()`. It
# explains a batch by one backward pass from the *sum* of the logits: in eval mode,
# where batch normalisation [@ioffe2015] takes the means of training, images do not
# influence each other, so this gradient holds each image's own.
# :::
#
# ## Identities, and tests made of them
#
# Put @eq-cam into @eq-weights. With average pooling $g_{kij} = W_{ck} / hw$ at *every*
# place, so Grad-CAM *is* CAM, divided by $hw$. So is HiResCAM [@draelos2020], which
# multiplies gradient and activation place by place. Other identities follow from the
# formulas: XGrad-CAM [@fu2020] takes a weighted mean of the gradient, and every
# weighted mean of a constant is that constant. Each holds up to rounding, so each is a
# test of an implementation, and a sharper one than a look at pictures. @tbl-identities
# measures them.

# %%
#| code-fold: false
cam = CAM(model, last).explain(images, targets).raw[0]  # (B, h, w)
hirescam = HiResCAM(model, last).explain(images, targets).raw[0]
xgradcam = XGradCAM(model, last).explain(images, targets).raw[0]
alone = [
    GradCAM(model, last).explain(images[i : i + 1], [t]).raw[0]
    for i, t in enumerate(targets)
]
louder = copy.deepcopy(model)
with torch.no_grad():
    louder.head.weight *= 10
    louder.head.bias += 3
loud_maps = GradCAM(louder, [louder.target_layer])(images, targets)

# %% tags=["slide"]
#| label: tbl-identities
#| tbl-cap: "Identities, measured: the largest difference over all photographs, and
#|   the same relative to the largest value. What is left is rounding in float32."
raw, bias = gradcam.raw[0], b[targets].cpu()
pairs = {
    "by hand = the module": (L.cpu(), raw[:1]),
    "Grad-CAM times h w = CAM": (raw * h * w, cam),
    "HiResCAM = Grad-CAM, before pooling": (hirescam, raw),
    "XGrad-CAM = Grad-CAM, before pooling": (xgradcam, raw),
    "mean of CAM plus bias = logit": (
        cam.mean((1, 2)) + bias,
        gradcam.logits[range(len(targets)), targets],
    ),
    "one image = the same in a batch": (torch.cat(alone), raw),
    "head times 10, bias plus 3: same map": (loud_maps, gradcam.maps),
}
rows = []
for statement, (left, right) in pairs.items():
    left, right = np.asarray(left), np.asarray(right)
    difference, largest = np.abs(left - right).max(), np.abs(right).max()
    rows.append([statement, difference, difference / largest])
identities = pd.DataFrame(rows, columns=["identity", "difference", "relative"])
Table(identities, "gradcam_identities", formats=".0e")

# %% [markdown]
# ## What ReLU and scaling do
#
# A raw map has a sign and a size. The ReLU drops the negative part: what speaks against
# a class is often just evidence for another one. Then each map is resized to the image,
# and its minimum and maximum are stretched to 0 and 1. Scaled maps are easy to look at,
# but they hide how much evidence there was. @fig-scaling asks for the cat, which is
# there, and for a class that is not.

# %%
#| code-fold: false
absent = "teapot"
asked = [photos[0].name, absent]
twice = images[:1].expand(2, -1, -1, -1)  # (2, 3, S, S)
pair = GradCAM(model, last).explain(twice, [class_names.index(n) for n in asked])

# %% tags=["slide"]
#| label: fig-scaling
#| fig-cap: "Two classes, one photograph. Left: raw maps on one common scale. Middle and
#|   right: after ReLU and scaling. The absent teapot lights up as brightly as the cat:
#|   a scaled map answers *where*, never *whether*."
#| fig-alt: "Two rows of maps of a cat's photograph. Raw, the cat's map is bright and
#|   the teapot's dark; scaled, both reach the top of the colour bar."
fig = maps.draw_scaling(photos[0].pixels, asked, pair.raw[0].numpy(), pair.maps)
figures.Picture(fig, "gradcam_scaling")

# %%
#| echo: false
y_two = pair.logits[[0, 1], pair.targets].tolist()
peaks = pair.raw[0].amax((1, 2)).tolist()
Markdown(
    f"The logits are {y_two[0]:.1f} for the {asked[0]} and {y_two[1]:.1f} for the "
    f"{absent}. The raw maps peak at {peaks[0]:.3f} and {peaks[1]:.3f}, the scaled "
    "ones both at 1. The classifier's score has to say *whether* a class is there; "
    "the next chapter uses score and map together."
)

# %% [markdown]
# ## The logit, not the probability
#
# We read probabilities. Why not explain the probability $p$? For a network with a
# sigmoid for each class, the chain rule says:
#
# $$
# \frac{\partial p}{\partial A} = p \, (1 - p) \, \frac{\partial y}{\partial A}
# \qquad \text{for } p = \frac{1}{1 + e^{-y}}
# $$ {#eq-saturation}
#
# The factor $p(1-p)$ shrinks as the network becomes sure of itself. The map of a
# sigmoid's $p$ is the map of the logit, made fainter, until float32 rounds it to zero
# (@fig-saturation).


# %%
#| code-fold: false
def sigmoid_gradient(y, dtype):
    y = y.to(dtype, copy=True).requires_grad_()
    return torch.autograd.grad(y.sigmoid().sum(), y)[0].numpy()


line = torch.linspace(0, 25, 501)
single = sigmoid_gradient(line, torch.float32)
double = sigmoid_gradient(line, torch.float64)
vanishes_at = float(line[single == 0][0])

# %%
#| label: fig-saturation
#| fig-cap: "The gradient that reaches the network. Through the logit it is 1 at any
#|   confidence. Through the sigmoid it falls exponentially; in float32 it falls in
#|   visible steps and then to exactly zero: the surest predictions get no map at all."
#| fig-alt: "Gradient against logit on a logarithmic scale: a flat line at 1, and a line
#|   that falls straight from a quarter; its float32 version ends at the dotted line."
fig, [[axis]] = figures.new_figure(1, 1, height=1.9)
curves = {
    "of the logit": (line, np.ones(len(line))),
    "of the sigmoid, float64": (line, double),
    "of the sigmoid, float32": (line, np.where(single > 0, single, np.nan)),
}
figures.draw_lines(axis, curves, "logit", "gradient")
axis.set(yscale="log", xlim=(0, 25))
axis.axvline(vanishes_at, color=figures.GREY, lw=0.8, ls=":")
words = {"fontsize": 8, "color": figures.GREY}
axis.text(vanishes_at + 0.3, 1e-3, "float32: zero\nfrom here on", **words)
figures.Picture(fig, "gradcam_saturation")

# %%
#| echo: false
Markdown(
    "In float32 the sigmoid's gradient is exactly zero from logit "
    f"{vanishes_at:.1f} on. Hence the rule of this book: **backpropagate logits.**"
)

# %% [markdown]
# A softmax saturates, too. It has a second fault: the probability falls when *another*
# class rises, so its gradient mixes in the maps of the classes that compete. The map
# of a probability is another map: this class *rather than those* (exercise 2 derives
# it). To see both, @tbl-saturation multiplies the logits by a factor, an inverse
# temperature. The network then gives the same answers and is surer of them. Where the
# probability has rounded to 1, the term of the class itself is lost; what remains is
# *minus* the maps of its competitors, and in the end nothing.


# %%
#| code-fold: false
def raw_map(value):
    """Grad-CAM of any scalar that depends on A, before the ReLU: (h, w)."""
    (g,) = torch.autograd.grad(value, A, retain_graph=True)
    return torch.einsum("k,kij->ij", g.mean((2, 3))[0], A[0]).detach().cpu()


# %%
#| label: tbl-saturation
#| tbl-cap: "A network that is made surer, explained by its logit and by its
#|   probability: the largest absolute value of the raw map, and the rank correlation
#|   of the two maps. A map of zeros ranks nothing and counts as 0."
rows = []
for factor in (1, 3, 10, 30, 100, 300):
    y = factor * model.head(model.pool(A))  # (1, 1000)
    p = y.softmax(1)
    of_y, of_p = raw_map(y[0, c]), raw_map(p[0, c])
    peaks = [float(m.abs().max()) for m in (of_y, of_p)]
    rows.append([factor, p[0, c].item(), *peaks, rank_correlation(of_y, of_p)])
columns = ["factor", "probability", "logit's map", "probability's map", "correlation"]
Table(
    pd.DataFrame(rows, columns=columns),
    "gradcam_saturation",
    formats={"probability": ".4f", columns[2]: ".1e", columns[3]: ".1e"},
)

# %% [markdown]
# ## Which method, which layer
#
# Several methods weigh activations with gradients and add up the channels. They differ
# in one line (@tbl-family). There, $\overline{g}$ is the mean and $\Sigma(g)$ the sum
# over the places, $g^+$ is $\mathrm{ReLU}(g)$, $\odot$ multiplies place by place, and
# $\alpha = 1 / (2 + g \, \Sigma(A))$ is largest for channels that are active at few
# places.
#
# | method | map before the ReLU | its weights |
# |:--|:--|:--|
# | CAM [@zhou2016] | $\sum_k W_{ck} A_k$ | those of the linear layer |
# | Grad-CAM [@selvaraju2017] | $\sum_k \overline{g_k} \, A_k$ | mean of the gradient |
# | HiResCAM [@draelos2020] | $\sum_k g_k \odot A_k$ | the gradient at each place |
# | LayerCAM [@jiang2021] | $\sum_k g_k^+ \odot A_k$ | the same, if positive |
# | Grad-CAM++ [@chattopadhay2018] | $\sum_k\Sigma(\alpha_k g_k^+) A_k$ | weighted sum |
#
# : The family in one line each. {#tbl-family}
#
# At the last layer the gradient is the same at all places, so CAM, Grad-CAM and
# HiResCAM are one map (@tbl-identities). There the gradient is small, too, hence
# $\alpha \approx 1/2$, and Grad-CAM++ and LayerCAM are nearly the same. The methods
# part at earlier layers. (In a network without average pooling, such as VGG, the
# gradient differs from place to place, and they part at the last layer already.) One
# call explains all stages of the network at once.

# %%
#| code-fold: false
family = {"Grad-CAM": GradCAM, "HiResCAM": HiResCAM, "LayerCAM": LayerCAM}
family["Grad-CAM++"] = GradCAMPlusPlus
stages = dict(model.features.named_children())
explained = {
    name: method(model, stages.values()).explain(images, targets).raw
    for name, method in family.items()
}  # name -> for each stage (B, h, w)

# %% [markdown]
# To compare them we measure which **share of a map lies in the hand-drawn box**. An
# even map puts there the box's share of the picture: that is the number to beat.
# @fig-layers shows one photograph, at the last stage of each resolution, and
# @tbl-layers has the means over all.


# %%
#| code-fold: false
def share_in_box(heatmap, photo) -> float:
    """The share of a map (h, w) that lies in the photograph's box."""
    full = resize_image(heatmap, *photo.pixels.shape[1::-1])  # (H, W)
    x1, y1, x2, y2 = photo.box
    return float(full[y1:y2, x1:x2].sum() / max(full.sum(), 1e-12))


even = np.mean([share_in_box(np.ones(square), photo) for photo in photos])

# %%
#| label: fig-layers
#| fig-cap: "From early to late, four methods. A channel is the same filter everywhere,
#|   but early on its influence on the class differs from place to place. Grad-CAM and
#|   Grad-CAM++ give a channel one weight for all places; HiResCAM and LayerCAM weigh
#|   each place by itself. At the last stage all agree."
#| fig-alt: "A table of maps of a cup of coffee: rows are methods, columns are stages of
#|   the network. Early maps are specks and edges; the last ones cover the coffee."
names = list(stages)
places = [tuple(values.shape[1:]) for values in explained["Grad-CAM"]]
kept = [i for i in range(len(places)) if places[i : i + 2] != [places[i]] * 2]
shown = min(1, len(photos) - 1)
drawn = {
    method: {
        f"{names[i]}: {places[i][0]} × {places[i][1]}": rescale(raw[i].relu(), square)[
            shown
        ]
        for i in kept
    }
    for method, raw in explained.items()
}
fig = maps.draw_map_table(photos[shown].pixels, drawn)
figures.Picture(fig, "gradcam_layers")

# %%
#| label: tbl-layers
#| tbl-cap: "Share of the map inside the hand-drawn box, mean over the photographs, for
#|   the last stage of each resolution and each method."
rows = []
for i in kept:
    row = [names[i], f"{places[i][0]} × {places[i][1]}"]
    for raw in explained.values():
        each = zip(rescale(raw[i].relu(), square).numpy(), photos, strict=True)
        row.append(100 * np.mean([share_in_box(*pair) for pair in each]))
    rows.append(row)
by_stage = pd.DataFrame(rows, columns=["stage", "places", *family])
Table(
    by_stage,
    "gradcam_layers",
    formats=".0f",
    units=dict.fromkeys(family, "%"),
    best=dict.fromkeys(family, "max"),
    note=f"An even map: {100 * even:.0f} %. {len(photos)} photographs rank no methods.",
)

# %%
#| echo: false
best = by_stage.loc[by_stage["Grad-CAM"].idxmax(), "stage"]
falls, always = [], []
for method in family:
    below = by_stage.loc[by_stage[method] < 100 * even, "stage"].tolist()
    stages_below = " and ".join(filter(None, [", ".join(below[:-1]), *below[-1:]]))
    falls += [f"{method} falls below it at {stages_below}"] if below else []
    always += [] if below else [method]
Markdown(
    f"Grad-CAM has its highest share at `{best}`. "
    + (f"{' and '.join(always)} beat an even map at each of these. " if always else "")
    + (f"{'; '.join(falls)}. " if falls else "")
    + "A high share at an early stage proves no understanding: edges alone can give "
    "it, where an object has more of them than its background. The last layer is the "
    "safe choice, for there the formula is exact."
)

# %% [markdown]
# ## One picture, two classes
#
# A map should change with the question. We set the cat and the coffee side by side (the
# network takes any size) and ask for each. Then we ask a *real* photograph with several
# things in it, an astronaut's portrait, for the model shuttle in the background and for
# the class that the network finds likeliest (@fig-classes).

# %%
cat, coffee, portrait = map(read_photo, ("chelsea", "coffee", "astronaut"))
montage = np.concatenate(
    [resize_image(photo.pixels, 450, 300) for photo in (cat, coffee)], 1
)  # (300, 900, 3)
with torch.no_grad():
    answer = class_names[int(model(as_batch(portrait.pixels)).argmax())]


def ask(pixels, name, size=square):
    """Explain one class of one photograph."""
    return GradCAM(model, last).explain(
        as_batch(pixels, size), [class_names.index(name)]
    )


wide = (input_size, 2 * input_size)
for_cat, for_coffee = (ask(montage, name, wide) for name in (cat.name, coffee.name))
for_shuttle, for_answer = (ask(portrait.pixels, n) for n in (portrait.name, answer))

# %%
#| label: fig-classes
#| fig-cap: "The question moves the map. Left: one montage, asked for the cat and for
#|   the coffee. Middle: a portrait, asked for the space shuttle, which the network
#|   finds unlikely. Right: the same portrait, asked for the network's first answer. A
#|   map explains a wrong answer as willingly as a right one."
#| fig-alt: "Four maps: bright on the cat, on the coffee, on the model shuttle behind
#|   the astronaut, and on the helmets and the suit."
fig, axes = figures.new_mosaic("acd;bcd", height=2.0, width_ratios=[3.1, 1.7, 1.7])
for place, pixels, made, name in (
    ("a", montage, for_cat, cat.name),
    ("b", montage, for_coffee, coffee.name),
    ("c", portrait.pixels, for_shuttle, portrait.name),
    ("d", portrait.pixels, for_answer, answer),
):
    figures.heatmap_overlay(axes[place], pixels, made.maps[0], title=name)
figures.draw_boxes(axes["c"], true=[portrait.box])
figures.Picture(fig, "gradcam_classes")

# %%
#| echo: false
on_left = [
    float(m.maps[0][:, :input_size].sum() / m.maps[0].sum())
    for m in (for_cat, for_coffee)
]
p_shuttle = float(for_shuttle.logits.softmax(1)[0, for_shuttle.targets[0]])
inside, area = (
    share_in_box(m, portrait) for m in (for_shuttle.maps[0], np.ones(square))
)
Markdown(
    f"Of the cat's map {100 * on_left[0]:.0f} % lies on the cat's half, of the "
    f"coffee's map {100 * (1 - on_left[1]):.0f} % on its own. The shuttle has a "
    f"probability of only {100 * p_shuttle:.1f} %, and still {100 * inside:.0f} % of "
    f"its map lies in a box of {100 * area:.0f} % of the picture. The network's first "
    f"answer to the portrait is *{answer}*."
)

# %% [markdown]
# ## Does the map show the network?
#
# A fine map may come from the picture alone: edges look fine, whatever the network
# knows. @adebayo2018 propose a check: *destroy the weights, layer by layer from the
# top, and see whether the map changes*. We shuffle the numbers within each weight
# tensor, first in the head, then one stage after the other down to the stem, and
# compare maps by rank correlation (@fig-sanity).


# %%
#| code-fold: false
@torch.no_grad()
def shuffle(module, generator) -> None:
    """Put the numbers of each weight tensor in random order."""
    for p in module.parameters():
        order = torch.randperm(p.numel(), generator=generator).to(p.device)
        p.copy_(p.flatten()[order].view_as(p))


# %%
levels = ["head", *[f"features.{n}" for n in reversed(names)]]
levels = [n for n in levels if any(True for _ in model.get_submodule(n).parameters())]
rho = np.ones((n_shuffles, 1 + len(levels)))
cascade = [gradcam.maps[0]]
for s in range(n_shuffles):
    generator = torch.Generator().manual_seed(seed + s)
    shuffled = copy.deepcopy(model)
    for j, level in enumerate(levels, start=1):
        shuffle(shuffled.get_submodule(level), generator)
        destroyed = GradCAM(shuffled, [shuffled.target_layer]).explain(images, targets)
        both = zip(destroyed.raw[0], gradcam.raw[0], strict=True)
        rho[s, j] = np.mean([rank_correlation(*two) for two in both])
        if s == 0:
            cascade.append(destroyed.maps[0])

# %%
#| label: fig-sanity
#| fig-cap: "A network destroyed from the top. Above: the cat's map as more and more is
#|   shuffled. Below: rank correlation with the intact network's map, mean over
#|   photographs; the band spans the shuffles."
#| fig-alt: "Five maps of the cat that lose the cat step by step, above a curve that
#|   falls from 1 towards 0."
steps = ["intact", *[level.removeprefix("features.") for level in levels]]
fig = maps.draw_shuffled(photos[0].pixels, cascade, steps, rho)
figures.Picture(fig, "gradcam_sanity")

# %%
#| echo: false
head_only, everything = rho.mean(0)[[1, -1]]
limit = 0.3  # of the rank correlation, above which a map is not the network's
verdict = "passes" if abs(everything) < limit else "does **not** pass"
Markdown(
    f"With the head alone shuffled the correlation is {head_only:.2f}, with everything "
    f"shuffled {everything:.2f}. A map that shows the network has to end near zero: "
    f"Grad-CAM {verdict}.".replace("-0", "−0")
)

# %% [markdown]
# ## What it costs
#
# The classical map is the gradient with respect to the pixels [@simonyan2014]; it needs
# a full backward pass. Grad-CAM at the last layer needs almost none. The times are
# medians for one photograph, measured in turns.


# %%
def medians(runs, repeats, clock=time.perf_counter):
    """The median time of each of some runs, in ms, measured in turns."""
    times = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = clock()
            run()
            times[name].append(1000 * (clock() - start))
    return {n: np.median(t[1:] if repeats > 1 else t) for n, t in times.items()}


pixels = images[:1].clone().requires_grad_()
forward = torch.no_grad()(lambda: model(images[:1]).cpu())
runs = {
    "forward": forward,
    "last": lambda: GradCAM(model, last)(images[:1], [c]),
    "first": lambda: GradCAM(model, [stages[names[0]]])(images[:1], [c]),
    "pixels": lambda: torch.autograd.grad(model(pixels)[0, c], pixels)[0].cpu(),
}
took = medians(runs, n_timings)

# %%
#| echo: false
ratio = {name: took[name] / took["forward"] for name in took}
Markdown(
    f"A prediction takes {took['forward']:.0f} ms here. Prediction and Grad-CAM at the "
    f"last layer take {ratio['last']:.1f} times as long, Grad-CAM at the first stage "
    f"{ratio['first']:.1f} times, the gradient of the pixels {ratio['pixels']:.1f} "
    "times."
)

# %% [markdown]
# ## Which method for which purpose
#
# More methods than those of @tbl-family ask other questions (@tbl-more). Some need no
# gradient: they hide something and ask the network again, which costs many forward
# passes. Score-CAM masks only the most active channels here (the parameter `channels`).
#
# | method | weight of channel $k$, or map | it shows |
# |:--|:--|:--|
# | Finer-CAM [@zhang2025] | Grad-CAM's, of $y_c - 0.6 \, \overline{y_d}$ | a contrast |
# | Eigen-CAM [@muhammad2020] | first singular vector of $A$ | what is common |
# | Ablation-CAM [@desai2020] | $(y - y_{-k}) / \lvert y \rvert$ | what is lost |
# | Score-CAM [@wang2020] | softmax of $y(x \odot M_k)$ | what is seen |
# | Guided Grad-CAM [@selvaraju2017] | Grad-CAM $\odot$ pixels' gradient | detail |
# | two-layer LayerCAM | mean of LayerCAM at two layers | both scales |
# | smoothed Grad-CAM | mean of Grad-CAM over changed views | what stays |
#
# : More methods. The classes $d$ are the three whose logits are nearest to that of $c$;
# $y_{-k}$ is the logit without channel $k$, $M_k$ the channel as a mask from 0 to 1, as
# large as the image $x$. {#tbl-more}
#
# Who judges? A person has drawn a box: which share of the map lies in it, and does its
# peak? The network says more. Put the pixels of a blurred picture back in place, the
# highest of the map first: the sooner the probability rises, the better the map; or
# blur them, and the sooner it falls [@petsiuk2018]. The measure is the area below the
# curve. (How much is lost if the picture is *multiplied* by the map
# [@chattopadhay2018] is often given, too; it rewards maps that show everything.)


# %%
#| code-fold: false
def deletion(score, image, blurred, heatmap, steps):
    """The area below the score of an image (3, H, W) as the pixels go."""
    order = heatmap.flatten().argsort(descending=True, stable=True)
    rank = order.argsort().view_as(heatmap)  # (H, W), 0: the highest
    counts = [round(len(order) * step / steps) for step in range(steps + 1)]
    values = [score(torch.where(rank < n, blurred, image)) for n in counts]
    return torch.trapezoid(torch.stack(values), torch.tensor(counts) / len(order))


# %% [markdown]
# A third judge shuffles all weights, as above: the rank correlation of the maps before
# and after has to be near 0. `judge` of `wslib.cam.judging` does all of this. In
# `explain_with` all methods share one forward pass, and some add passes of their own
# (@fig-methods). The bar to beat is a map that looks at nothing: it is highest in the
# *centre*.


# %%
#| code-fold: false
def all_methods(model):
    """The methods that differ at the last layer; LayerCAM also sees an earlier one."""
    at, early = [model.target_layer], list(model.features)[-4]
    kinds = {"Grad-CAM": GradCAM, "Finer-CAM": FinerCAM, "Grad-CAM++": GradCAMPlusPlus}
    kinds |= {"Eigen-CAM": EigenCAM, "Guided Grad-CAM": GuidedGradCAM}
    methods = {name: method(model, at) for name, method in kinds.items()}
    methods["two-layer LayerCAM"] = LayerCAM(model, [early, *at])
    methods["Ablation-CAM"] = AblationCAM(model, at, batch_size=256)
    methods["smoothed Grad-CAM"] = Smoothed(methods["Grad-CAM"])
    methods["Score-CAM"] = ScoreCAM(model, at, channels=channels)
    return {"centre": CentreMap(model, at)} | methods


methods = all_methods(model)
side_by_side = explain_with(methods, images[:1], targets[:1])

# %%
#| label: fig-methods
#| fig-cap: "One photograph, one class: the centre's map, and nine methods. Most of them
#|   agree. Guided Grad-CAM shows lines in place of areas. Colours end at the brightest
#|   hundredth of each map."
#| fig-alt: "Two rows of five maps of a cat: most are bright on its face and chest; one
#|   consists of fine lines."
fig, _ = figures.image_grid(
    [photos[0].pixels] * len(methods),
    [*methods],
    5,
    heatmaps=[
        (found.maps[0] / np.quantile(found.maps[0], 0.99)).clip(max=1)
        for found in side_by_side.values()
    ],
)
figures.Picture(fig, "gradcam_methods")

# %% [markdown]
# The photographs are those above, with their boxes. (With `dataset="voc2007"` they are
# photographs with one object, of a class that ImageNet knows, where the network's first
# answer is one of its kinds. Then that is the target.)

# %%
examined, data = photos, "photographs of scikit-image"
if dataset == "voc2007":
    voc = open_voc2007(dataset)
    ids = voc.available(voc.ids(eval_split, eval_limit))
    examined = one_object_photos(voc, ids, len(ids))
    data = f"VOC2007 photographs, {eval_split}"
batch = torch.cat([as_batch(photo.pixels) for photo in examined])  # (N, 3, S, S)
with torch.no_grad():
    answers = torch.cat([model(some).cpu() for some in batch.split(8)])  # (N, 1000)
kinds = [list(KINDS.get(p.name, ()) or [class_names.index(p.name)]) for p in examined]
asked = [k[int(y[k].argmax())] for k, y in zip(kinds, answers, strict=True)]
known = [i for i, y in enumerate(answers) if int(y.argmax()) in kinds[i]]
kept = known if dataset == "voc2007" else list(range(len(examined)))
boxes = [np.divide(p.box, 2 * p.pixels.shape[1::-1]) for p in examined]  # shares

ruined = copy.deepcopy(model)
shuffle(ruined, torch.Generator().manual_seed(seed))
judged = judge(
    methods,
    all_methods(ruined),
    batch[kept],
    [asked[i] for i in kept],
    np.array([boxes[i] for i in kept]),
    pixel_steps,
)
costs = {"forward": forward}
costs |= {name: lambda m=m: m(images[:1], [c]) for name, m in methods.items()}
on_cpu = torch.device(device).type == "cpu"  # there, what else runs does not count
clock = time.process_time if on_cpu else time.perf_counter
took = medians(costs, n_timings // 2 + 1, clock)
compared = summarise(judged, seed=seed)
passes = [took[name] / took["forward"] for name in compared["method"]]
compared.insert(1, "passes", passes)


# %% [markdown]
# @tbl-methods shows what the three judges say. It leaves out CAM, HiResCAM and
# XGrad-CAM: at this layer they are Grad-CAM.


# %%
#| label: tbl-methods
#| tbl-cap: "Ten maps and three judges. *Passes*: the time of a map in forward passes.
#|   *Share* of the map in the hand-drawn box; how often its *peak* lies there. Area
#|   below the probability as pixels are *inserted* (high is good) and *deleted* (low is
#|   good). Rank correlation with the maps of a *shuffled* network (0 is right)."
def table_of(frame, name, columns, **options):
    """Show columns with their intervals, NAME low and NAME high."""
    bounds = {c: (f"{c} low", f"{c} high") for c in columns if c != "passes"}
    picked = frame[["method", *columns, *(b for pair in bounds.values() for b in pair)]]
    percent = {c: "%" for c in columns if c in ("share", "peak", "drop", "increase")}
    formats = {c: ".0f" for c in percent} | {"passes": ".1f"} if percent else {}
    formats = {c: f for c, f in formats.items() if c in columns}
    options |= {"formats": formats, "units": percent, "intervals": bounds}
    return Table(picked, name, **options)


where = ["passes", "share", "peak", "shuffled"]
note = f"{len(kept)} images. Data: {data}."
by_network = ["insertion", "deletion", "drop", "increase"]
table_of(compared, "gradcam_methods", where, note=note)  # both are kept, with intervals
table_of(compared, "gradcam_faithful", by_network, note=note)
judges = ["method", "passes", "share", "peak", "insertion", "deletion", "shuffled"]
Table(
    compared[judges],
    "gradcam_judges",
    formats={"passes": ".1f", "share": ".0f", "peak": ".0f"},
    units={"share": "%", "peak": "%"},
    note=note,
)

# %% [markdown]
# A handful of photographs ranks no methods. @tbl-methods-there and @tbl-faithful-there
# are of a run that was kept, on photographs of VOC2007. Their brackets hold 95 %
# intervals: the images are drawn again and again with replacement, and all results but
# the lowest and the highest fortieth lie between the two numbers (the *bootstrap*
# [@efron1993]).

# %%
#| label: tbl-methods-there
#| tbl-cap: "Where ten maps lie, on photographs of VOC2007, in a recorded run."
from wslib.show.recorded import read_recorded, verdicts

run = read_recorded("01_val")
tables = [run.frame(name) for name in ("gradcam_methods", "gradcam_faithful")]
where_there, network_there = (table.reset_index() for table in tables)
options = {"note": run.source(), "save": False}
table_of(where_there, "gradcam_methods_there", where, **options)

# %%
#| label: tbl-faithful-there
#| tbl-cap: "What the network says of ten maps, in the same run. *Drop* and *increase*:
#|   how far the probability falls, and how often it rises, if the picture is multiplied
#|   by the map."
table_of(network_there, "gradcam_faithful_there", by_network, **options)

# %% [markdown]
# **What to take.** The recorded run answers, purpose by purpose:

# %%
#| echo: false
there = where_there.set_index("method").join(network_there.set_index("method"))
looked = there.drop("centre")
stay = looked.index[looked["shuffled"].abs() > limit]
dear = looked.index[looked["passes"] > 2.5]
share, peak = looked["share"].idxmax(), looked["peak"].idxmax()
Markdown(
    f"- *Where is it?* {share} has the largest share in the box, "
    f"{'and' if peak == share else peak} the most peaks.\n"
    f"- *What does the network need?* With the pixels of "
    f"{looked['insertion'].idxmax()} the probability rises soonest, without those of "
    f"{looked['deletion'].idxmin()} it falls soonest, by little.\n"
    f"- *Is it this network's map?* A correlation above {limit} with the map of a "
    f"shuffled network says no: {', '.join(stay) or 'none'}.\n"
    f"- *What takes long?* {', '.join(dear) or 'None'}; the others a pass or two.\n"
    "- *When in doubt*, take Grad-CAM: at the last layer it adds up to the logit "
    "exactly, and in the recorded run it costs one pass."
)


# %%
#| echo: false
def beats(name, other, column):
    return lambda table: table.loc[name, column] > table.loc[other, column]


claims = {
    "Grad-CAM has more of its map in the box than the centre": beats(
        "Grad-CAM", "centre", "share"
    ),
    "Guided Grad-CAM has more of its map in the box than Grad-CAM": beats(
        "Guided Grad-CAM", "Grad-CAM", "share"
    ),
}
here = compared.set_index("method")
Markdown("This run, and the recorded one:\n\n" + verdicts(claims, here, there))

# %% [markdown]
# ## Where it fails
#
# @fig-failures shows four failures. The orange outline encloses what is brighter than
# half of the maximum (the parameter `threshold`); the box around it is the first
# detector of the next chapter. Its *intersection over union* (IoU) with the hand-drawn,
# dashed box is the area that the two share, divided by the area that they cover
# together. It sees what the share in the box cannot see: a missing part.

# %%
motorcycle, rocket = map(read_photo, ("motorcycle", "rocket"))
three = np.concatenate([coffee.pixels] * 3)  # (3 H, W, 3): cups in a column
failures = {
    "a part": (motorcycle.pixels, motorcycle.name),
    "a halo": (rocket.pixels, rocket.name),
    "not there": (coffee.pixels, absent),
    "three cups": (three, coffee.name),
}
failed = {title: ask(*question) for title, question in failures.items()}
full = {
    title: resize_image(failed[title].maps[0], *pixels.shape[1::-1])
    for title, (pixels, _) in failures.items()
}

# %% tags=["slide"]
#| label: fig-failures
#| fig-cap: "Four failures. A part of the motorcycle stands for the whole. The rocket is
#|   thinner than one place of the map. A teapot that is not there is found anyway.
#|   Three cups in one picture do not get three outlines."
#| fig-alt: "Maps with outlines: the engine of a motorcycle, a wide blob around a thin
#|   rocket, parts of a cup and its saucer, and a column of three cups."
shapes = [pixels.shape[1] / pixels.shape[0] for pixels, _ in failures.values()]
fig, axes = figures.new_figure(1, 4, height=1.45, width_ratios=shapes)
boxes = {"a part": motorcycle.box, "a halo": rocket.box}
for axis, (title, (pixels, name)) in zip(axes[0], failures.items(), strict=True):
    words = title if pixels is three else f"{title} ({name})"
    figures.heatmap_overlay(axis, pixels, full[title], title=words)
    maps.outline(axis, full[title], threshold)
    figures.draw_boxes(axis, true=[boxes[title]] if title in boxes else ())
figures.Picture(fig, "gradcam_failures")

# %%
#| echo: false
iou = {}
for title, box in boxes.items():
    found = boxes_from_heatmap(full[title], threshold)[0, :4]
    iou[title] = float(box_iou(found, np.array(box)))
inside = share_in_box(failed["a part"].maps[0], motorcycle)
outlines = len(boxes_from_heatmap(full["three cups"], threshold, max_boxes=99))
p_absent = float(failed["not there"].logits.softmax(1)[0, class_names.index(absent)])
Markdown(
    f"The outline's box has an IoU of {iou['a part']:.2f} on the motorcycle, although "
    f"{100 * inside:.0f} % of the map lies in the hand-drawn box, and "
    f"{iou['a halo']:.2f} on the rocket. The {absent}'s probability is "
    f"{100 * p_absent:.1f} %. Three cups have {outlines} "
    f"outline{'s' * (outlines != 1)}."
)

# %% [markdown]
# ## What we saw, what failed, what would improve it
#
# **What we saw.** With average pooling and a linear head, a logit is the mean of a map,
# and Grad-CAM finds this map through gradients. The identities hold up to rounding. The
# map moves with the question, and is another one when the weights are shuffled. At the
# last layer it costs hardly more than the prediction.
#
# **What failed, and why.**
#
# - *Extent.* The classifier learnt to tell classes apart, not to cover objects. Where a
#   part is enough to decide, the rest adds nothing to the map.
# - *Resolution.* One place of the last layer stands for many pixels. What is smaller
#   becomes a halo.
# - *Number.* Places do not know to which object they belong. Neighbours become one.
# - *Presence.* A scaled map is never empty. A score has to say whether to look.
# - *Context.* What often stands beside a class can be evidence for it, and lights up.
# - *Purpose.* No method is the best by all measures (@tbl-methods-there,
#   @tbl-faithful-there).
#
# **What would improve it.** A larger input gives more places, up to a point (exercise
# 5). Several components instead of one box: @sec-dogs measures what that is worth. A
# network that knows about edges can complete the extent (@sec-prompting).
#
# ## Exercises
#
# **1. What speaks against.** Grad-CAM of *minus* the logit shows the places that speak
# against the class; @selvaraju2017 call it a counterfactual explanation. Write it.


# %%
#| code-fold: false
def against(A, g):
    """What speaks against a class: (B, K, h, w), (B, K, h, w) -> (B, h, w), >= 0.

    A: the activations. g: the gradient of the logit, not of minus the logit.
    """
    ...  # your lines


A1 = torch.tensor([[[[1.0, 2.0]], [[3.0, 1.0]]]])  # (1, 2, 1, 2)
g1 = torch.tensor([[[[0.0, 2.0]], [[-3.0, 1.0]]]])
check_exercise(against, ((A1, g1), [[[2.0, 0.0]]]))

# %% [markdown]
# ::: {.callout-note title="Solution of 1" collapse="true"}
# Minus the logit has the gradient $-g$, so the map changes its sign before the ReLU:
#
# ```python
# def against(A, g):
#     return torch.einsum("bk,bkij->bij", -g.mean((2, 3)), A).relu()
# ```
#
# As $\mathrm{ReLU}(x) - \mathrm{ReLU}(-x) = x$, the map for a class minus the map
# against it is the map before the ReLU.
# :::
#
# **2. The map of a probability.** Let $M_j$ be the class activation map of class $j$
# and $p = \mathrm{softmax}(y)$. Write Grad-CAM of $p_c$, before the ReLU and times
# $hw$, from the maps $M_j$ and the probabilities alone: no gradient is needed.


# %%
#| code-fold: false
def probability_map(M, p, c):
    """Grad-CAM of the probability of class c, times h w: (C, h, w), (C,) -> (h, w)."""
    ...  # your lines


generator = torch.Generator().manual_seed(2)
A2 = torch.rand(8, 5, 5, generator=generator).requires_grad_()  # (K, h, w)
W2 = torch.randn(4, 8, generator=generator)  # (C, K)
p2 = (W2 @ A2.mean((1, 2))).softmax(0)  # (C,)
M2 = torch.einsum("ck,kij->cij", W2, A2.detach())  # (C, h, w)
(g2,) = torch.autograd.grad(p2[1], A2)
L2 = 25 * torch.einsum("k,kij->ij", g2.mean((1, 2)), A2.detach())
check_exercise(probability_map, ((M2, p2.detach(), 1), L2))

# %% [markdown]
# ::: {.callout-note title="Solution of 2" collapse="true"}
# The chain rule gives $\partial p_c / \partial y_j = p_c \, (\delta_{cj} - p_j)$, and
# Grad-CAM of $y_j$ is $M_j / hw$. Hence
#
# ```python
# def probability_map(M, p, c):
#     return p[c] * (M[c] - torch.einsum("j,jik->ik", p, M))
# ```
#
# The bracket is the map of the class minus the mean map of all classes, weighted by
# their probabilities: this class *rather than those*. As $p_c$ approaches 1, the mean
# map approaches $M_c$, and nothing is left.
# :::
#
# **3.** The sum of a raw Grad-CAM map at the last layer, plus the bias, is the logit.
# Why does this not hold at earlier layers?
#
# ::: {.callout-note title="Solution of 3" collapse="true"}
# Behind the last feature map the network is linear, so the gradient times the
# activation, summed, *is* the logit without the bias. Behind an earlier layer there are
# ReLUs with a bias in front of them. Such a network is linear only piece by piece, and
# the sum of gradient times activation (HiResCAM) lacks what the biases and the
# saturated units add. Grad-CAM, with the mean of the gradient, does not give the logit
# either. Measure both: `HiResCAM(model, stages.values()).explain(images, targets).raw`.
# :::
#
# **4.** In which layer, and in which mode, do the images of a batch influence each
# other? What would Grad-CAM show then?
#
# ::: {.callout-note title="Solution of 4" collapse="true"}
# In batch normalisation, in train mode: its means depend on all images. The gradient of
# one logit then reaches all images, and the gradient of the sum mixes them. The module
# evaluates the model in eval mode, and gives each layer its flag back.
# :::
#
# **5.** Run the chapter with `SET="input_size=160"` and with `SET="input_size=640"`.
# What happens to the probabilities, and to the share in the box at the last stage? Then
# look at another network, which is downloaded: `SET="backbone=resnet18"`.
#
# ::: {.callout-note title="Solution of 5" collapse="true"}
# The probabilities of the right classes fall as the input grows, probably because the
# network was trained on 224 pixels and meets objects that are larger than those it
# knows. The share in the box first grows, as the map gets more places, and then falls.
# The best size for classifying is not the best one for localising; two passes are
# allowed. Four photographs settle neither.
# :::
#
# ## Answers to the course's questions
#
# **How does Grad-CAM work?** [Steps 1 to 3 of the notes.]{.small} Pick a class. (1)
# Take the gradient of its logit with respect to the feature map of a late layer. (2)
# Average it over the places: one weight for each channel (@eq-weights). (3) Add up the
# channels with these weights, drop what is negative (@eq-gradcam), and resize the map.
#
# **How does it differ from CAM?** CAM reads its weights from the linear layer, so the
# network must end in average pooling and that layer (@eq-cam). Grad-CAM computes them.
# Where CAM exists, both are the same map up to the factor $1 / hw$ (@tbl-identities).
#
# **What are its properties?** [The notes' *characteristics*.]{.small} It needs no new
# training and tells classes apart (@fig-classes). Its map is as coarse as its layer
# (@fig-layers). It shows *where* evidence was found, and not why.
