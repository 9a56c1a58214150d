# %% [markdown]
# # Grad-CAM: where a classifier looks {#sec-gradcam}
#
# A classifier answers one question, *what*, and nobody taught it to say *where*. Yet
# the answer is in there: up to the last layer but one, the network still keeps its
# findings at the places where it made them. This chapter takes them out. What comes
# out is a heat map, and the rest of this book turns heat maps into boxes, points and
# masks without anybody having drawn one for training.
#
# **You will learn**
#
# - how a class activation map (CAM) falls out of average pooling and a linear layer,
#   and how Grad-CAM carries the idea to any convolutional network;
# - which identities tie the two together, and how to use them as tests;
# - why one asks for the gradient of the *logit* and never of the probability;
# - what the choice of layer, the ReLU and the scaling do to a map;
# - how to check that a map shows the network and not merely the picture;
# - where all of this fails.
#
# **Device and time.** A CPU is enough: about half a minute on two cores. The weights
# and the photographs come with Python packages, so no network is needed.

# %% tags=["parameters"]
backbone: str = "efficientnet_lite0"  # or resnet18, resnet50: these are downloaded
middle_layer: str = "stage5"  # a stage halfway up the backbone (ResNets: layer3)
input_size: int = 320  # photographs are resized to this many pixels, both ways
photo_names: list[str] = ["chelsea", "coffee", "camera", "motorcycle"]  # in the tables
threshold: float = 0.5  # share of a map's maximum at which an outline is drawn
n_shuffles: int = 3  # shuffled networks in the sanity check
n_timings: int = 9  # repetitions of each time measurement
device: str = "auto"  # "cpu", "cuda", or "auto"
seed: int = 0  # of every random choice in this chapter

# %%
import copy
import time
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown
from scipy.stats import spearmanr
from skimage import data

from wslib.cam import CAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, rescale
from wslib.models.classifiers import build_classifier, imagenet_classes
from wslib.runtime.device import pick_device
from wslib.show import figures
from wslib.show.tables import Table

figures.use_house_style()
device = pick_device(device)

# %% [markdown]
# ## A network and a few photographs
#
# The network is the `backbone` of the parameters, by default EfficientNet-Lite0
# [@liu2020; @tan2019], trained on the 1000 classes of ImageNet [@deng2009]. It ends, as
# ResNet [@he2016] and most of its successors do, in *global average pooling and one
# linear layer*, and that ending is what makes this chapter short.

# %%
model = build_classifier(backbone, seed=seed).to(device)
class_names = imagenet_classes()

# %% [markdown]
# scikit-image ships a handful of photographs. Nobody chose them for this network, and
# each shows one thing that ImageNet has a name for, or nearly so. To be able to
# *measure* maps and not only admire them, we give each a box around that thing, drawn
# by hand for this chapter: the box is for judging and never enters the network.


# %%
class Photo(NamedTuple):
    pixels: np.ndarray  # (H, W) or (H, W, 3) uint8
    name: str  # of the ImageNet class that is shown
    box: tuple | None  # around it: x1, y1, x2, y2, half-open


album = {
    "chelsea": Photo(data.chelsea(), "Egyptian cat", (0, 0, 415, 300)),
    "coffee": Photo(data.coffee(), "espresso", (172, 16, 430, 310)),
    "camera": Photo(data.camera(), "tripod", (232, 185, 408, 512)),
    "motorcycle": Photo(data.stereo_motorcycle()[0], "moped", (72, 75, 678, 462)),
    "rocket": Photo(data.rocket(), "missile", (306, 128, 336, 408)),
    "astronaut": Photo(data.astronaut(), "space shuttle", (350, 0, 472, 285)),
}
photos = [album[name] for name in photo_names]


# %% [markdown]
# The network wants a batch (B, 3, S, S) of normalised colour images. Photographs are
# squeezed to a square, as the course's own classifier does; the maps will be stretched
# back when they are drawn.


# %%
def as_batch(pixels: np.ndarray, size: tuple[int, int] = (input_size, input_size)):
    """A photograph (H, W[, 3]) -> a normalised batch of one, (1, 3, *size)."""
    colour = np.stack([pixels] * 3, -1) if pixels.ndim == 2 else pixels
    image = torch.from_numpy(colour.copy()).permute(2, 0, 1)[None] / 255
    image = F.interpolate(image, size, mode="bilinear", antialias=True)
    return model.normalize(image.to(device))


def class_of(name: str) -> int:
    return class_names.index(name)


# %% [markdown]
# What does the network say? @tbl-predictions lists, for each photograph, its first two
# choices. (A motorcycle is not among the thousand classes, so that *moped* is as right
# as it gets.)

# %%
#| label: tbl-predictions
#| tbl-cap: "The two likeliest classes of each photograph, out of a thousand."
images = torch.cat([as_batch(photo.pixels) for photo in photos])  # (B, 3, S, S)
targets = [class_of(photo.name) for photo in photos]
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
        "probability ": likely.values[:, 1],
    }
)
Table(predictions, "gradcam_predictions", formats={"logit": ".1f"})

# %% [markdown]
# ## From features to a map
#
# Cut the network in front of its pooling. What arrives there is the last *feature map*
# $A$, a stack of $K$ channels, each a coarse picture of $h \times w$ places:

# %%
with torch.no_grad():
    A = model.features(images[:1])  # (1, K, h, w)
_, K, h, w = A.shape
c = targets[0]
W, b = model.head.weight.detach(), model.head.bias.detach()  # (1000, K), (1000,)

# %%
#| echo: false
Markdown(
    f"Here $K = {K}$ and $h \\times w = {h} \\times {w}$: one place for each "
    f"{input_size // h} pixels of the input."
)

# %% [markdown]
# The rest of the network averages each channel over its places and lets a linear layer
# with weights $W$ and biases $b$ add up the averages. Both steps are linear, so that
# they can be exchanged [@zhou2016]:
#
# $$
# y_c = b_c + \sum_k W_{ck} \, \frac{1}{hw} \sum_{ij} A_{kij}
#     = b_c + \frac{1}{hw} \sum_{ij}
#       \underbrace{\sum_k W_{ck} \, A_{kij}}_{M_{cij}}
# $$ {#eq-cam}
#
# The logit $y_c$ of class $c$ is a bias plus the *mean of a map* $M_c$. Each place
# contributes its share, positive or negative, and the **class activation map** is
# nothing but the list of these contributions. @fig-channels takes one apart.

# %%
M = torch.einsum("k,kij->ij", W[c], A[0])  # (h, w)
contribution = W[c] * A[0].mean((1, 2))  # (K,), their sum is y_c - b_c
strongest = contribution.abs().argsort(descending=True)[:6].tolist()

# %%
#| label: fig-channels
#| fig-cap: "From channels to a map. Six of the channels that move the logit of the cat
#|   most, each with what it adds to that logit, and on the right the weighted sum over
#|   all channels. No channel is the cat; their sum is."
panels = [A[0, k].cpu() for k in strongest] + [M.clamp(min=0).cpu()]
captions = [f"channel {k}: {contribution[k]:+.2f}" for k in strongest]
fig, axes = figures.image_grid(
    [photos[0].pixels] * 8,
    [photos[0].name, *captions, f"all {K}: {contribution.sum():+.2f}"],
    heatmaps=[None, *[panel / panel.max() for panel in panels]],
)
figures.Picture(fig, "gradcam_channels")

# %%
#| echo: false
top_share = contribution[strongest].sum() / contribution.sum()
Markdown(
    f"These {len(strongest)} channels make up {top_share:.0%} of the logit (without "
    f"its bias); the other {K - len(strongest)} share the rest. A map of class "
    "evidence is a committee's work, which is why single channels explain so little."
)

# %% [markdown]
# ## From CAM to Grad-CAM
#
# CAM needs the average and the linear layer: an AlexNet, a VGG, a captioning network
# have no matrix $W$ that would weigh channels. @selvaraju2017 replaced it by something
# that every network has. Ask how the logit would change if channel $k$ rose a little,
# on average over its places:
#
# $$
# g_{kij} = \frac{\partial y_c}{\partial A_{kij}}, \qquad
# w_k = \frac{1}{hw} \sum_{ij} g_{kij}
# $$ {#eq-weights}
#
# and weigh the channels with that, keeping only what speaks *for* the class:
#
# $$
# L_{ij} = \mathrm{ReLU}\Big( \sum_k w_k \, A_{kij} \Big)
# $$ {#eq-gradcam}
#
# That is all. By hand it takes five lines:

# %%
A = A.requires_grad_()  # the graph begins here: nothing below is differentiated
y = model.head(model.pool(A))  # (1, 1000)
(g,) = torch.autograd.grad(y[0, c], A)  # (1, K, h, w)
weights = g.mean((2, 3))  # (1, K): w
L = torch.einsum("bk,bkij->bij", weights, A.detach())  # (1, h, w), before the ReLU

# %% [markdown]
# `wslib.cam.GradCAM` does the same for any network, layer and batch. It runs *one*
# forward pass without recording anything until the target layer, and the gradient
# travels from the logit back to that layer and no further. `explain` returns the maps
# and, from the same pass, the logits and the raw maps before ReLU and scaling:

# %%
last = [model.target_layer]
gradcam = GradCAM(model, last).explain(images, targets)
gradcam.maps.shape, gradcam.logits.shape, gradcam.raw[0].shape

# %% [markdown]
# ::: {.callout-note title="What an implementation has to get right"}
# Many networks use in-place ReLUs, which overwrite the very activation that a hook has
# just stored; a map computed from it is wrong without a word. The module hands a copy
# to the rest of the network. It also leaves the model as it found it (no hook, no
# gradient, no flag stays behind, not even after an error), works on frozen networks
# and inside `torch.no_grad()`, and explains the images of a batch together: in eval
# mode images do not influence each other, so the gradient of the *sum* of their logits
# holds each image's own.
# :::
#
# ## Identities, and tests made of them
#
# Put @eq-cam into @eq-weights: with average pooling $g_{kij} = W_{ck} / hw$ at *every*
# place, so that Grad-CAM *is* CAM, divided by $hw$. So is HiResCAM [@draelos2020],
# which multiplies gradient and activation place by place. More such statements follow
# from the formulas, and as each must hold to rounding error, each is a test that no
# picture can replace. @tbl-identities measures them.

# %%
y_c = gradcam.logits[range(len(targets)), targets]
cam = CAM(model, last).explain(images, targets).raw[0]  # (B, h, w)
hirescam = HiResCAM(model, last).explain(images, targets).raw[0]
single = torch.cat(
    [GradCAM(model, last).explain(images[i : i + 1], [t]).raw[0]
     for i, t in enumerate(targets)]
)  # fmt: skip
louder = copy.deepcopy(model)
with torch.no_grad():
    louder.head.weight *= 10
    louder.head.bias += 3
loud_maps = GradCAM(louder, [louder.target_layer])(images, targets)
raw, bias = gradcam.raw[0], b[targets].cpu()

pairs = {
    "by hand = the module": (L.cpu(), raw[:1]),
    "Grad-CAM times h w = CAM": (raw * h * w, cam),
    "HiResCAM = Grad-CAM, after pooling": (hirescam, raw),
    "mean of CAM plus bias = logit": (cam.mean((1, 2)) + bias, y_c),
    "one image = the same in a batch": (single, raw),
    "head times 10, bias plus 3: same map": (loud_maps, gradcam.maps),
}

# %%
#| label: tbl-identities
#| tbl-cap: "Identities, measured: the largest difference over all photographs, and
#|   the same relative to the largest value. What is left is rounding in float32."
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
# A raw map has a sign and a size. The ReLU drops the negative part: what speaks
# against the class is often just evidence for another one. Then each map is resized to
# the image and stretched from its minimum and maximum to 0 and 1. This makes maps easy
# to look at, and it hides how much evidence there was. @fig-scaling asks about the cat,
# which is there, and about a class that is not.

# %%
absent = "teapot"
asked = [photos[0].name, absent]
pair = GradCAM(model, last).explain(
    images[:1].expand(2, -1, -1, -1), [class_of(name) for name in asked]
)

# %%
#| label: fig-scaling
#| fig-cap: "Two classes, one photograph. Left: raw contributions on one common scale.
#|   Right: after ReLU and min-max scaling. The absent teapot lights up as brightly as
#|   the cat: a scaled map answers *where*, never *whether*."
fig, axes = figures.new_figure(2, 3, height=2.35, width_ratios=[1.2, 1.2, 1])
limits = (float(pair.raw[0].min()), float(pair.raw[0].max()))
for row, name, values, scaled in zip(axes, asked, pair.raw[0], pair.maps, strict=True):
    look = {"limits": limits, "alpha": 1.0}
    drawn = figures.heatmap_overlay(row[0], photos[0].pixels, values, **look)
    figures.add_colour_bar(fig, drawn, row[0], "")
    drawn = figures.heatmap_overlay(row[1], photos[0].pixels, scaled, alpha=1.0)
    figures.add_colour_bar(fig, drawn, row[1], "")
    figures.heatmap_overlay(row[2], photos[0].pixels, scaled)
    row[0].set_ylabel(name)
for axis, title in zip(axes[0], ("raw", "scaled", "as it is shown"), strict=True):
    axis.set_title(title)
figures.Picture(fig, "gradcam_scaling")

# %%
#| echo: false
y_two = pair.logits[[0, 1], pair.targets].tolist()
peaks = pair.raw[0].amax((1, 2)).tolist()
Markdown(
    f"The logits are {y_two[0]:.1f} for the {asked[0]} and {y_two[1]:.1f} for the "
    f"{absent}, and the highest points of the raw maps stand at {peaks[0]:.3f} and "
    f"{peaks[1]:.3f}. After scaling, both stand at 1. *Whether* a class is there has "
    "to come from the classifier's score; the next chapter uses score and map together."
)

# %% [markdown]
# ## The logit, never the probability
#
# A network with several classes an image ends in a sigmoid for each, this one in a
# softmax. Why not explain the probability $p$, which is what one reads? Because of the
# chain rule:
#
# $$
# \frac{\partial p}{\partial A} = p \, (1 - p) \, \frac{\partial y}{\partial A}
# \qquad \text{for } p = \frac{1}{1 + e^{-y}}
# $$ {#eq-saturation}
#
# The factor $p(1-p)$ shrinks as the network becomes sure of itself. A Grad-CAM of a
# sigmoid's $p$ is the same map, made ever fainter, until the arithmetic gives up
# (@fig-saturation).

# %%
line = torch.linspace(0, 25, 501)


def sigmoid_gradient(dtype: torch.dtype) -> np.ndarray:
    y = line.to(dtype, copy=True).requires_grad_()
    (gradient,) = torch.autograd.grad(y.sigmoid().sum(), y)
    return gradient.numpy()


slopes = {dtype: sigmoid_gradient(dtype) for dtype in (torch.float32, torch.float64)}
vanishes_at = float(line[slopes[torch.float32] == 0][0])

# %%
#| label: fig-saturation
#| fig-cap: "The gradient that reaches the network. Through the logit it is 1 at any
#|   confidence. Through the sigmoid it falls exponentially, in float32 in visible
#|   steps and then to exactly zero: the surest predictions get no map at all."
fig, axes = figures.new_figure(1, 1, height=2.3)
positive = np.where(slopes[torch.float32] > 0, slopes[torch.float32], np.nan)
figures.draw_lines(
    axes[0, 0],
    {
        "of the logit": (line, np.ones(len(line))),
        "of the sigmoid, float64": (line, slopes[torch.float64]),
        "of the sigmoid, float32": (line, positive),
    },
    "logit",
    "gradient",
)
axes[0, 0].set(yscale="log", xlim=(0, 25))
axes[0, 0].axvline(vanishes_at, color=figures.GREY, lw=0.8, ls=":")
axes[0, 0].annotate(
    "float32: zero\nfrom here on", (vanishes_at, 1e-3), (5, 0),
    textcoords="offset points", fontsize=8, color=figures.GREY,
)  # fmt: skip
figures.Picture(fig, "gradcam_saturation", vector=True)

# %% [markdown]
# The softmax saturates, too, and does worse: its derivative mixes in the logits of the
# classes that compete, so that the map of a probability is another map, of this class
# *rather than those*. That is the better reason to take the logit. @tbl-saturation
# multiplies the head's weights by an inverse temperature, which makes the same network
# surer of the same answer, and records the largest gradient at the last feature map.
# The logit's map does not change; the probability's runs out of numbers.

# %%
#| label: tbl-saturation
#| tbl-cap: "A surer network, explained by its logit and by its probability: the
#|   largest absolute gradient at the last feature map, in float32."
rows = []
for temperature in (1, 3, 10, 30, 100, 300):
    y = temperature * model.head(model.pool(A))  # (1, 1000)
    p = y.softmax(1)
    largest = [
        torch.autograd.grad(value[0, c], A, retain_graph=True)[0].abs().max().item()
        for value in (y, p)
    ]
    rows.append([temperature, p[0, c].item(), *largest])
columns = ["temperature", "probability", "from the logit", "from the probability"]
saturation = pd.DataFrame(rows, columns=columns)
Table(
    saturation,
    "gradcam_saturation",
    formats={"probability": ".4f", columns[2]: ".1e", columns[3]: ".1e"},
)

# %%
#| echo: false
at_20 = float(sigmoid_gradient(torch.float32)[line == 20][0])
Markdown(
    f"The sigmoid's gradient in float32 is exactly zero from logit {vanishes_at:.1f} "
    f"on, and so at 20 ({at_20:g}). Hence the rule of this book: **backpropagate "
    "logits.**"
)

# %% [markdown]
# ## Which layer
#
# Grad-CAM takes any layer whose output has places. Early layers have many places and
# know little; late ones know classes and have few places. Since a cam accepts several
# target layers, one call explains them all (@fig-layers). To compare layers we measure
# which **share of the map's mass** lies inside the hand-drawn box (@tbl-layers). An
# even map would put there just the box's share of the picture's area, so that is the
# number to beat.


# %%
def mass_in_box(heatmap: np.ndarray, photo: Photo) -> float:
    """The share of a map (H, W) that lies in the photograph's box."""
    scale = np.divide(heatmap.shape, photo.pixels.shape[:2])[::-1]  # of x and of y
    x1, y1, x2, y2 = (np.array(photo.box) * np.tile(scale, 2)).round().astype(int)
    return float(heatmap[y1:y2, x1:x2].sum() / max(heatmap.sum(), 1e-12))


def mean_mass(heatmaps) -> float:
    return np.mean([mass_in_box(m, p) for m, p in zip(heatmaps, photos, strict=True)])


square = (input_size, input_size)
even = mean_mass([np.ones(square)] * len(photos))

# %% [markdown]
# The network's stages, from early to late; of those with the same number of places,
# @fig-layers shows the last.

# %%
stages = dict(model.features.named_children())
methods = (GradCAM, LayerCAM)
by_method = {
    method.__name__: method(model, stages.values()).explain(images, targets)
    for method in methods
}
places = [tuple(values.shape[1:]) for values in by_method["GradCAM"].raw]
kept = [i for i in range(len(places)) if places[i : i + 2] != [places[i]] * 2]

# %%
#| label: fig-layers
#| fig-cap: "From early to late. Above Grad-CAM, below LayerCAM, at the last stage of
#|   each resolution. A channel is the same filter everywhere, but early on its
#|   influence on the class differs from place to place. Grad-CAM averages that away;
#|   LayerCAM weighs each place by itself. At the end the two agree."
shown = min(1, len(photos) - 1)
names = list(stages)
fig, axes = figures.image_grid(
    [photos[shown].pixels] * 2 * len(kept),
    [f"{names[i]}: {places[i][0]} × {places[i][1]}" for i in kept] + [""] * len(kept),
    columns=len(kept),
    heatmaps=[
        rescale(by_method[method.__name__].raw[i].relu(), square)[shown]
        for method in methods
        for i in kept
    ],
)
for axis, method in zip(axes[:: len(kept)], methods, strict=True):
    axis.set_ylabel(method.__name__)
figures.Picture(fig, "gradcam_layers")

# %%
#| label: tbl-layers
#| tbl-cap: "Share of the map's mass inside the hand-drawn box, mean over the
#|   photographs, for each stage of the network."
rows = []
for i, name in enumerate(names):
    maps = [rescale(by_method[m.__name__].raw[i].relu(), square) for m in methods]
    size = f"{places[i][0]} × {places[i][1]}"
    rows.append([name, size, *[100 * mean_mass(np.asarray(m)) for m in maps]])
columns = ["stage", "places", *[m.__name__ for m in methods]]
by_stage = pd.DataFrame(rows, columns=columns)
Table(
    by_stage,
    "gradcam_layers",
    formats=".0f",
    units=dict.fromkeys(columns[2:], "%"),
    best=dict.fromkeys(columns[2:], "max"),
    note=f"An even map: {100 * even:.0f} %.",
)

# %%
#| echo: false
best_stage = by_stage.loc[by_stage["GradCAM"].idxmax(), "stage"]
Markdown(
    f"An even map has {100 * even:.0f} % of its mass in the box, Grad-CAM at the "
    f"first stage {by_stage['GradCAM'].iloc[0]:.0f} %, at the last one "
    f"{by_stage['GradCAM'].iloc[-1]:.0f} %; the best is `{best_stage}`. Early stages "
    "can score well too, as objects have more edges than what is behind them; mass in "
    "a box is no proof of understanding. The last layer is the safe choice: there the "
    "formula is exact. A finer layer has more places, and @tbl-layers says what they "
    "are worth here."
)

# %% [markdown]
# ## A family of maps
#
# All methods weigh activations with gradients and add up the channels. They differ in
# one line (@tbl-family). There, $\overline{g}$ is the mean and $\Sigma(g)$ the sum over
# the places, $g^+$ is $\mathrm{ReLU}(g)$, $\odot$ multiplies place by place, and
# $\alpha = 1 / (2 + g \, \Sigma(A))$ is largest for channels that are active at few
# places.
#
# | method | map before the ReLU | what it changes |
# |:--|:--|:--|
# | CAM [@zhou2016] | $\sum_k W_{ck} A_k$ | needs average pooling and a linear layer |
# | Grad-CAM [@selvaraju2017] | $\sum_k \overline{g_k} \, A_k$ | any layer |
# | HiResCAM [@draelos2020] | $\sum_k g_k \odot A_k$ | no mean of the gradient |
# | LayerCAM [@jiang2021] | $\sum_k g_k^+ \odot A_k$ | positive gradients only |
# | Grad-CAM++ [@chattopadhay2018] | $\sum_k \Sigma(\alpha_k g_k^+) A_k$ | weighted |
#
# : The family in one line each. {#tbl-family}
#
# At the last layer the first three are one map, by @tbl-identities. To see them differ
# one has to go down, as @fig-family does. @tbl-methods has the numbers, among them two
# near twins: at the last layer the gradient is the same at all places and small, hence
# $\alpha \approx 1/2$, and Grad-CAM++ draws what LayerCAM draws.

# %%
family = {
    "Grad-CAM": GradCAM,
    "HiResCAM": HiResCAM,
    "LayerCAM": LayerCAM,
    "Grad-CAM++": GradCAMPlusPlus,
}
layers = {"last layer": model.target_layer, middle_layer: stages[middle_layer]}
maps = {
    (place, name): method(model, [layer])(images, targets)
    for place, layer in layers.items()
    for name, method in family.items()
}

# %%
#| label: fig-family
#| fig-cap: "Four methods on two photographs, at the last layer (rows 1 and 3) and
#|   halfway up (rows 2 and 4), with the hand-drawn box. Above they agree; below, the
#|   methods that weigh each place by itself keep to the object."
rows = [(i, place) for i in range(len(photos))[-2:] for place in layers]
fig, axes = figures.image_grid(
    [photos[i].pixels for i, _ in rows for _ in family],
    list(family) + [""] * len(family) * (len(rows) - 1),
    columns=len(family),
    heatmaps=[maps[place, name][i] for i, place in rows for name in family],
)
for axis, (i, _) in zip(axes, np.repeat(np.array(rows, object), 4, 0), strict=True):
    figures.draw_boxes(axis, true=[photos[i].box])
for axis, (_, place) in zip(axes[::4], rows, strict=True):
    axis.set_ylabel(place)
figures.Picture(fig, "gradcam_family")

# %%
#| label: tbl-methods
#| tbl-cap: "Share of the map's mass inside the hand-drawn box, mean over the
#|   photographs."
by_layer = pd.DataFrame(
    {
        place: [100 * mean_mass(maps[place, name]) for name in family]
        for place in layers
    },
    index=pd.Index(family, name="method"),
)
Table(
    by_layer,
    "gradcam_methods",
    formats=".1f",
    units=dict.fromkeys(layers, "%"),
    best=dict.fromkeys(layers, "max"),
    note=f"An even map: {100 * even:.1f} %. {len(photos)} photographs rank no methods.",
)

# %% [markdown]
# ## One picture, two classes
#
# A map should change with the question. We set the cat and the coffee side by side (a
# montage, and twice as wide as high: the network takes any size) and ask for both; and
# we ask a *real* photograph with two things in it, the astronaut's portrait, for the
# model shuttle in the background (@fig-classes).

# %%
half = F.interpolate(
    torch.from_numpy(album["coffee"].pixels.copy()).permute(2, 0, 1)[None] / 255,
    (300, 450), mode="bilinear", antialias=True,
)[0].permute(1, 2, 0).numpy()  # fmt: skip
cat_half = album["chelsea"].pixels[:, :450] / 255
montage = (255 * np.concatenate([cat_half, half], 1)).astype(np.uint8)
wide = (input_size, 2 * input_size)
questions = ["Egyptian cat", "espresso"]
montage_maps = GradCAM(model, last).explain(
    as_batch(montage, wide).expand(2, -1, -1, -1), [class_of(q) for q in questions]
)
portrait = album["astronaut"]
shuttle = GradCAM(model, last).explain(
    as_batch(portrait.pixels), [class_of(portrait.name)]
)

# %%
#| label: fig-classes
#| fig-cap: "The question moves the map. Left: one montage, asked for the cat and for
#|   the coffee. Right: a portrait with a model shuttle behind it, asked for the
#|   shuttle, which is not even among the network's likely answers."
fig, axes = figures.new_mosaic("ac;bc", height=2.75, width_ratios=[3.6, 2.5])
views = [*zip([montage] * 2, montage_maps.maps, questions, strict=True)]
views.append((portrait.pixels, shuttle.maps[0], portrait.name))
for place, (pixels, heatmap, name) in zip("abc", views, strict=True):
    figures.heatmap_overlay(axes[place], pixels, heatmap, title=name)
figures.draw_boxes(axes["c"], true=[portrait.box])
figures.Picture(fig, "gradcam_classes")

# %%
#| echo: false
middle = input_size
left = [float(m[:, :middle].sum() / m.sum()) for m in montage_maps.maps]
p_shuttle = float(shuttle.logits.softmax(1)[0, shuttle.targets[0]])
inside, area = (mass_in_box(m, portrait) for m in (shuttle.maps[0], np.ones(square)))
Markdown(
    f"Of the cat's map {left[0]:.0%} lies on the cat's half, of the coffee's map "
    f"{1 - left[1]:.0%} on its own. In the portrait the shuttle has a probability of "
    f"only {p_shuttle:.1%}, and still its map puts {inside:.0%} of its mass into a box "
    f"of {area:.0%} of the picture."
)

# %% [markdown]
# ## Does the map show the network?
#
# A fine map may be a mere edge detector: it would look just as fine if the network knew
# nothing. @adebayo2018 proposed a check that takes minutes: *destroy the weights, layer
# by layer from the top, and see whether the map goes with them*. We shuffle the numbers
# within each weight tensor, first in the head, then one stage after the other down to
# the stem, and compare maps by Spearman's rank correlation (@fig-sanity).


# %%
@torch.no_grad()
def shuffle(module: torch.nn.Module, generator: torch.Generator) -> None:
    """Put the numbers of each weight tensor in random order."""
    for p in module.parameters():
        order = torch.randperm(p.numel(), generator=generator).to(p.device)
        p.copy_(p.flatten()[order].view_as(p))


def rank_correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    """Spearman's rho of two maps; 0 where one is constant and ranks nothing."""
    flat = min(float(a.std()), float(b.std())) == 0
    return 0.0 if flat else float(spearmanr(a.flatten(), b.flatten()).statistic)


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
        explained = GradCAM(shuffled, [shuffled.target_layer]).explain(images, targets)
        pairs = zip(explained.raw[0], gradcam.raw[0], strict=True)
        rho[s, j] = np.mean([rank_correlation(*pair) for pair in pairs])
        if s == 0:
            cascade.append(explained.maps[0])

# %%
#| label: fig-sanity
#| fig-cap: "Grad-CAM of a network that is destroyed from the top. Above: the cat's map
#|   with more and more of the network shuffled. Below: rank correlation with the
#|   intact network's map, mean over photographs; the band spans the shuffles."
steps = ["intact", *[level.removeprefix("features.") for level in levels]]
picked = np.linspace(0, len(steps) - 1, 5).round().astype(int)
fig, axes = figures.new_mosaic("abcde;fffff", height=3.4, height_ratios=[1, 2])
for panel, step in zip("abcde", picked, strict=True):
    title = f"… to {steps[step]}" if step else "intact"
    figures.heatmap_overlay(axes[panel], photos[0].pixels, cascade[step], title=title)
x = np.arange(len(steps))
figures.draw_lines(
    axes["f"], {"rho": (x, rho.mean(0))}, "shuffled from the top down to",
    "rank correlation", bands={"rho": (rho.min(0), rho.max(0))}, marker="o",
)  # fmt: skip
axes["f"].axhline(0, color=figures.GREY, lw=0.8)
axes["f"].set_xticks(x, steps)
figures.Picture(fig, "gradcam_sanity")

# %%
#| echo: false
head_only, everything = rho.mean(0)[[1, -1]]
verdict = "passes" if abs(everything) < 0.3 else "does **not** pass"
Markdown(
    f"With the head alone shuffled the correlation is {head_only:.2f}, with everything "
    f"shuffled {everything:.2f}. A map that shows the network has to end near zero: "
    f"Grad-CAM {verdict}."
)

# %% [markdown]
# ## What it costs
#
# The classical way of explaining a prediction, the gradient with respect to the pixels
# [@simonyan2014], needs a full backward pass. Grad-CAM at the last layer needs almost
# none. @tbl-cost compares median times for one photograph, measured in turns so that a
# busy machine disturbs all alike.


# %%
def milliseconds(function) -> float:
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


def forward() -> None:
    with torch.no_grad():
        model(images[:1]).cpu()


def pixel_gradient() -> None:
    x = images[:1].clone().requires_grad_()
    torch.autograd.grad(model(x)[0, c], x)[0].cpu()


def gradcam_at(layer: torch.nn.Module) -> None:
    GradCAM(model, [layer])(images[:1], [c])


runs = {
    "forward pass only": forward,
    "Grad-CAM, last layer": lambda: gradcam_at(model.target_layer),
    f"Grad-CAM, {middle_layer}": lambda: gradcam_at(stages[middle_layer]),
    f"Grad-CAM, {names[0]}": lambda: gradcam_at(stages[names[0]]),
    "gradient of the pixels": pixel_gradient,
}
times = np.array(
    [[milliseconds(run) for run in runs.values()] for _ in range(n_timings)]
)

# %%
#| label: tbl-cost
#| tbl-cap: "Time for one photograph. At the last layer a map costs hardly more than the
#|   prediction."
medians = np.median(times[1:] if n_timings > 1 else times, axis=0)
cost = pd.DataFrame(
    {"what": list(runs), "time": medians, "ratio": medians / medians[0]}
)
Table(cost, "gradcam_cost", formats={"time": ".1f"}, units={"time": "ms"})

# %% [markdown]
# ## Where it fails
#
# A gallery of successes is advertising. @fig-failures shows six ways to fail, each on
# purpose. The outline encloses what is brighter than the threshold; the dashed boxes
# are drawn by hand. @tbl-failures says how much of each map lies where it should.

# %%
cups = np.concatenate([album["coffee"].pixels] * 2, 1)
x1, y1, x2, y2 = album["coffee"].box
between = Photo(cups, "espresso", (x2, y1, x1 + 600, y2))  # from cup to cup
with torch.no_grad():
    answer = class_names[int(model(as_batch(portrait.pixels)).argmax())]
failures = {
    "a part, not the whole": album["motorcycle"],
    "a halo around a thin thing": album["rocket"],
    f"an absent {absent}": album["coffee"]._replace(name=absent, box=None),
    "two cups, one blob": between,
    "the ground it stands on": album["camera"],
    "a wrong answer, explained": portrait._replace(name=answer, box=None),
}

# %%
#| label: fig-failures
#| fig-cap: "Six failures. From left to right, above: engine and seat stand for the
#|   motorcycle; the rocket is thinner than one place of the map; a class that is not
#|   there is found anyway. Below: two cups share one map, which does not count them
#|   (the box marks the table between them); the brightest spot of the tripod is the
#|   grass between its legs; a map explains a wrong answer as willingly as a right one."
maps = [
    GradCAM(model, last)(
        as_batch(photo.pixels, wide if photo is between else square),
        [class_of(photo.name)],
    )[0]
    for photo in failures.values()
]
fig, axes = figures.image_grid(
    [photo.pixels for photo in failures.values()],
    [f"{title}\n({photo.name})" for title, photo in failures.items()],
    columns=3,
    heatmaps=maps,
)
for axis, heatmap, photo in zip(axes, maps, failures.values(), strict=True):
    height, width = photo.pixels.shape[:2]
    bright = F.interpolate(torch.from_numpy(heatmap)[None, None], (height, width))
    figures.draw_mask(axis, bright[0, 0].numpy() >= threshold)
    figures.draw_boxes(axis, true=[photo.box] if photo.box else ())
figures.Picture(fig, "gradcam_failures")

# %%
#| label: tbl-failures
#| tbl-cap: "How much of each map lies in its dashed box, and how much of an even map
#|   would. Between the cups a good map would have nothing."
judged = [
    (title, photo.name, heatmap, photo)
    for (title, photo), heatmap in zip(failures.items(), maps, strict=True)
    if photo.box
]
Table(
    pd.DataFrame(
        {
            "failure": [title for title, *_ in judged],
            "class": [name for _, name, *_ in judged],
            "in the box": [100 * mass_in_box(m, photo) for *_, m, photo in judged],
            "even map": [
                100 * mass_in_box(np.ones_like(m), photo) for *_, m, photo in judged
            ],
        }
    ),
    "gradcam_failures",
    formats=".0f",
    units={"in the box": "%", "even map": "%"},
)

# %% [markdown]
# ## What we saw, what failed, what would improve it
#
# **What we saw.** With average pooling and a linear head, a logit is the mean of a map,
# and Grad-CAM finds this map by asking for gradients. The identities hold to rounding
# error. The map moves with the question, it goes when the weights go, and it costs
# hardly more than the prediction itself.
#
# **What failed, and why.**
#
# - *Extent.* The classifier is paid for telling classes apart, not for covering
#   objects: a muzzle settles the matter, a tail adds nothing.
# - *Resolution.* One place of the last layer stands for many pixels. What is smaller
#   becomes a halo.
# - *Number.* Places do not know to which object they belong. Two neighbours become one.
# - *Context.* What always comes along with a class is evidence for the class.
# - *Presence.* The scaled map is never empty. A score has to say whether to look.
#
# **What would improve it.** Larger inputs and maps averaged over scales and mirror
# images; several layers, fused; several components instead of one box; and to hand
# extent over to somebody who knows about edges, which is what the fourth chapter does.
# The next one puts numbers on the others.
#
# ## Exercises
#
# **1.** The mean of a raw Grad-CAM map at the last layer, times $hw$, plus the bias, is
# the logit. Why does this hold for no other layer?
#
# ::: {.callout-note title="Solution" collapse="true"}
# Behind the last feature map the network is linear, so that the gradient times the
# activation, summed, *is* the function (up to the bias). Behind any earlier layer there
# are ReLUs and more biases. With ReLUs alone the network would be piecewise linear, and
# what is missing would be exactly what the biases add (and what saturates). Measure it:
# compare `(HiResCAM raw).sum() + bias` with the logit for each stage.
# :::
#
# **2.** Ask for minus the logit. What does the map show, and for what would you use it?
#
# ::: {.callout-note title="Solution" collapse="true"}
# `(-gradcam.raw[0]).relu()` shows the places that speak *against* the class, which
# @selvaraju2017 call a counterfactual explanation. Such places make good
# *background* points, when the fourth chapter prompts a segmenter.
# :::
#
# **3.** Two images of a batch may not influence each other. Which layer breaks this, in
# which mode, and what would Grad-CAM show then?
#
# ::: {.callout-note title="Solution" collapse="true"}
# Batch normalisation in train mode: its means depend on all images, so the gradient of
# one logit reaches all of them, and the gradient of the sum mixes them. The module
# evaluates the model in eval mode, and each layer gets its flag back afterwards.
# :::
#
# **4.** Change `input_size` to 224 and to 512 and run the chapter again. What happens
# to the probabilities, and what to the share of mass in the box? Which size would you
# pick for classifying, which for localising?
#
# ::: {.callout-note title="Solution" collapse="true"}
# The network was trained at 224 pixels. Larger inputs show it larger objects than it
# has learnt, so that the probability of the right class falls. The map gains places,
# and the share of its mass in the box grows a little, up to a size. For classifying
# take what the network was trained at, for localising the size that wins in your table;
# nothing forbids two passes.
# :::
#
# **5.** Replace min-max scaling by dividing by the maximum only. When does the map
# change, and what does that do to a fixed threshold?
#
# ::: {.callout-note title="Solution" collapse="true"}
# After the ReLU the minimum is 0 wherever some place speaks against the class, and both
# agree. If the whole picture speaks for it (the cat nearly fills its frame), min-max
# pulls the darkest place to 0 and so makes the box smaller at the same threshold.
# :::
#
# ## Answers to the course's questions
#
# **How does Grad-CAM work?** Run the image through the network and pick a class. Take
# the gradient of that class's logit with respect to the feature map of a late layer,
# average it over the places to get one weight per channel (@eq-weights), add up the
# channels with these weights and drop what is negative (@eq-gradcam). Resize the result
# to the image.
#
# **How does it differ from CAM?** CAM reads its weights out of the linear layer and so
# needs a network that ends in average pooling and one linear layer (@eq-cam), or one
# that is rebuilt that way and trained again. Grad-CAM computes the weights and needs
# neither. Where CAM exists, both give the same map up to the factor $1 / hw$
# (@tbl-identities).
#
# **Why the logit?** Because the probability's gradient dies where the network is sure
# (@fig-saturation).
#
# **Is it an explanation?** It shows *where* evidence for a class was found, at one
# layer. It shows neither why that is evidence, nor what would change the answer.
