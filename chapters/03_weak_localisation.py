# %% [markdown]
# # Weak localisation {#sec-weak}
#
# A map says roughly where; a detector has to say *this box*. This chapter follows two
# ways there from image labels alone. The first makes the map itself the network's last
# layer, and asks what becomes of it when it is pooled into one number. The second never
# draws a map: it is given boxes that may hold anything, and learns to choose.
#
# You will learn
#
# - to propose boxes without learning anything, and how many of the objects they reach;
# - to train a fully convolutional *localizer* from image labels, and why the way its
#   map is pooled decides what it shows: a part, or the whole;
# - to train WSDDN, a detector of proposals, from the same labels, on two cores;
# - why such a detector falls for parts, too, and what looking *around* a box does;
# - to compare detectors of many classes honestly, and to say which wins where.
#
# **Data and time.** With the profiles `smoke` and `sample` the pictures are *rendered*
# by this project, as in @sec-dogs; the profile `full` takes the photographs of VOC2007
# [@everingham2010]. At `sample` the chapter takes two to three minutes on two processor
# cores, drawing the pictures included; everything in it is trained there and then.

# %% tags=["parameters"]
from typing import Literal

dataset: Literal["rendered", "voc2007"] = "rendered"  # drawn here, or photographs
rendered: dict[str, int] = {"train": 300, "val": 100, "test": 240}  # how many
train_split: str = "train"  # everything is learnt and chosen on these
eval_split: str = "test"  # everything is measured on these
eval_limit: int | None = 160  # only the first so many of them
example: int = 30  # the image of the training split whose proposals are drawn
search_size: int = 160  # pixels of the longer side of an image that is searched
proposal_count: int = 150  # boxes an image, the most confident ones
input_size: int = 288  # pixels; images are resized to a square of this side
localizer_backbone: str = "efficientnet_lite0"  # or alexnet, which is downloaded
localizer_epochs: int = 6  # of each pooling
localizer_rate: float = 1e-3  # learning rate of AdamW
wsddn_epochs: int = 8  # over the training images
wsddn_rate: float = 3e-3  # learning rate of AdamW
hidden: int = 0  # width of a linear layer before WSDDN's streams; 0 for none
spatial: float = 0.0  # weight of the spatial regulariser, which needs `hidden`
nms_iou: float = 0.4  # above this overlap, only the better of two boxes stays
levels: list[float] = [
    0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9,
]  # of the maps, at which they become boxes  # fmt: skip
folds: int = 3  # for Grad-CAM's thresholds, on images it was not fitted to
bootstrap_samples: int = 200  # for the intervals
tracker: Literal["none", "tensorboard", "wandb"] = "none"  # beside history.csv
bfloat16: bool = False  # localizers in half precision: faster where there is support
batch_size: int = 8  # images at a time through the backbone
seed: int = 0  # of the pictures, the layers, the order and the bootstrap
device: str = "auto"  # of the backbone: cpu, cuda, or the better one that is there

# %% [markdown]
# ## The pictures, and boxes that may hold anything
#
# As before, what is trained is told *which* of twenty classes an image holds, and no
# box. A class of which an image has difficult objects only counts as unknown there.
# (One kind of detector needs boxes all the same, those of training images, to choose a
# threshold for its maps; it is said where.)

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from wslib.boxes.boxes import from_voc, to_voc
from wslib.boxes.evidence import evidence_from_maps, features_from_maps
from wslib.boxes.fitting import cross_fit, fit_heads
from wslib.boxes.recipe import DEFAULT_RECIPE, Recipe, choose_thresholds
from wslib.data.datasets import open_voc2007
from wslib.data.voc import CLASSES
from wslib.metrics.classification import mean_average_precision, mean_recall
from wslib.metrics.classwise import classwise_ap, classwise_corloc, mean_ap
from wslib.metrics.overlap import box_iou
from wslib.metrics.proposals import proposal_recall
from wslib.models.classifiers import build_classifier
from wslib.models.dense import DenseClassifier
from wslib.models.features import keep_feature_maps
from wslib.models.localizers import POOLINGS, build_localizer
from wslib.runtime.device import pick_device
from wslib.show import figures
from wslib.show.tables import Table
from wslib.weak.localizer_training import localisation_scores, locate, map_thresholds
from wslib.weak.proposal_features import keep_proposal_features
from wslib.weak.proposals import propose
from wslib.weak.runs import run_localizer, run_wsddn
from wslib.weak.wsddn_training import detect_proposals

device = pick_device(device)
voc = open_voc2007(dataset, **rendered, seed=seed)
train_ids = voc.available(voc.ids(train_split))
eval_ids = voc.available(voc.ids(eval_split, eval_limit))
train_labels, eval_labels = voc.labels(train_ids), voc.labels(eval_ids)
truths = {name: voc.ground_truth(eval_ids, name) for name in CLASSES}
source = "rendered pictures" if voc.rendered else "VOC2007 photographs"
if shared := set(train_ids) & set(eval_ids):
    raise ValueError(f"splits {train_split}, {eval_split} share {len(shared)} images")

# %% [markdown]
# *Selective search* [@uijlings2013] merges segments of like colour and texture until
# one is left, and puts a box around every segment on the way. It learns nothing, and
# knows no class. OpenCV lists its boxes in an order that chance has a part in. Ours is
# made anew, the same every time: at each place in the list stands the box that differs
# most from those before it, large ones preferred, and the confidence is the place in
# that list. An image is searched once, and what is found is kept.

# %%
paths = {i: voc.image_path(i) for i in train_ids + eval_ids}
proposals = propose(list(paths), list(paths.values()), search_size)


# %% [markdown]
# ### Questions 0.1 to 0.4: an image and its ten best proposals
#
# @fig-weak-example has one image of the training split, with its true boxes and with
# the ten most confident proposals. The course's file has scores of its own, which are
# meant to say how likely a box holds something, and its easiest way to fewer boxes is
# to take the best of them. Our confidence knows nothing of that; what it gives is that
# the first boxes cover the rest.

# %%
#| label: fig-weak-example
#| fig-cap: "One image: its true boxes (dashed), and the ten most confident proposals.
#|   The first boxes are large and differ from each other; none of them knows what it
#|   holds."
shown_id = train_ids[example % len(train_ids)]
things = voc.annotation(shown_id).objects
names = [thing.name for thing in things]
true_boxes = from_voc(np.array([thing.box for thing in things]).reshape(-1, 4))
fig, axes = figures.image_grid([voc.image(shown_id)] * 2, ["truth", "top ten"], 2)
figures.draw_boxes(axes[0], true=true_boxes, labels={"true": names})
figures.draw_boxes(axes[1], found=proposals[shown_id][:10])
figures.Picture(fig, "weak-example")

# %%
#| echo: false
Markdown(
    f"Image {example} (counted from 0) of `{train_split}` holds: "
    f"**{', '.join(sorted(set(names)))}**. It has {len(proposals[shown_id])} proposals."
)

# %% [markdown]
# What no proposal comes close to, a detector that chooses among them cannot find. So
# the first measurement is that of the proposals themselves (@tbl-weak-proposals).

# %%
#| label: tbl-weak-proposals
#| tbl-cap: "Recall of the proposals: the share of the objects of all classes that one
#|   of the first boxes of their image reaches. WSDDN's recall cannot be higher."
objects = {i: np.concatenate([truths[c][i] for c in CLASSES]) for i in eval_ids}
reached = proposal_recall(
    {i: to_voc(proposals[i].astype(float)) for i in eval_ids},
    objects,
    sorted({10, 30, 100, proposal_count, 1000}),
)
recalls = [column for column in reached if column.startswith("recall")]
Table(
    reached.rename(columns={"count": "first boxes"}),
    "weak-proposals",
    formats={**dict.fromkeys(recalls, ".1f"), "boxes": ".0f", "first boxes": "d"},
    units=dict.fromkeys(recalls, "%"),
    note=f"Boxes: their mean number. Data: {source}, {eval_split}.",
)

# %% [markdown]
# ## Localizers
#
# ### Question 1.1: the parts
#
# The course leaves ten places of its program to be filled in. Here they are
# `train_data` and `eval_data` below (data sets and loaders), `wslib.models.localizers`
# (model and pooling), `wslib.weak.localizer_training` (loss, optimiser, schedule,
# steps, validation) and `wslib.training.trackers` (the log, chosen by the knob
# `tracker`; `history.csv` is always kept).
#
# A localizer is fully convolutional [@oquab2015]: behind the backbone's features stand
# a convolution of 3 by 3 to 256 channels, one of 1 by 1, and one to the twenty classes.
# Its last map $x_{cij}$ is a logit of class $c$ at each place. The image has but one
# label per class, so the map is pooled into one logit, which the binary cross-entropy
# compares with the label:
#
# $$ y_c = \max_{ij} x_{cij}, \qquad
#    y_c = \frac{1}{r} \log \frac{1}{hw} \sum_{ij} e^{r x_{cij}}, \qquad
#    y_c = \frac{1}{hw} \sum_{ij} x_{cij} $$ {#eq-pooling}
#
# The first is the course's `LocalizerAlexNet`, the last its `LocalizerAlexNetRobust`,
# and the one between [@pinheiro2015] bridges them: it tends to the mean as $r \to 0$
# and to the maximum as $r \to \infty$; here $r = 4$.
#
# The features are those of ImageNet [@deng2009] and are not trained, so they are
# computed once, for each image and its mirror image, and kept. What is trained is the
# map, from Glorot's initial weights [@glorot2010], by AdamW with a learning rate that
# falls along half a cosine; the course takes gradient descent, a rate of 0.01 and steps
# of 0.1. After every epoch the localizer is measured on images that it was not trained
# on; nothing is chosen by that, and the last epoch counts.

# %%
classifier = build_classifier("efficientnet_lite0").to(device)
network = DenseClassifier(classifier, len(CLASSES)).to(device)


def keep(ids, seer=network):
    return keep_feature_maps(seer, ids, [paths[i] for i in ids], input_size, batch_size)


train_maps, eval_maps = keep(train_ids), keep(eval_ids)
seer = network
if localizer_backbone != "efficientnet_lite0":
    seer = build_localizer(localizer_backbone, len(CLASSES)).to(device)

# %% [markdown]
# ### Question 1.2: how many places?
#
# The map is what is left of the image after all strides, less one place on each side
# for the convolution without padding.

# %%
#| echo: false
blank = torch.zeros(1, 3, 512, 512)
course = build_localizer("alexnet", len(CLASSES), pretrained=False).places(blank)
here = build_localizer(localizer_backbone, len(CLASSES), pretrained=False)
places = here.places(torch.zeros(1, 3, input_size, input_size)).shape[2:]
Markdown(
    f"The course's AlexNet makes **{course.shape[2]} x {course.shape[3]}** of 512 x "
    f"512 pixels. Here {localizer_backbone} makes {places[0]} x {places[1]} of "
    f"{input_size} x {input_size}."
)

# %% [markdown]
# ### Question 1.3: two epochs, and the rest
#
# We train all three poolings alike, and look at the maps of the same few images after
# each epoch: of four classes the first that is wider than high, holds no other class,
# and has an object on at least a tenth of it. @fig-weak-two-epochs has those of the
# maximum after the first and the second epoch.

# %%
objects_of = [from_voc(objects[i])[:, :4] for i in eval_ids]
areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1).max(initial=0) for boxes in objects_of]
sides = eval_maps.sizes.T  # (2, N), width and height
large = (np.array(areas) >= 0.1 * sides.prod(0)) & (sides[0] > sides[1])
single = (np.abs(eval_labels).sum(1) == 1) & (eval_labels.max(1) == 1)
alone = np.flatnonzero(single & large)
first = pd.Series(eval_labels[alone].argmax(1), alone).drop_duplicates()[:4]
watched, targets = [eval_ids[k] for k in first.index], first.tolist()
localizer_maps = [keep(ids, seer) for ids in (train_ids, eval_ids, watched)]
train_data = (localizer_maps[0], train_labels)
eval_data = (localizer_maps[1], eval_labels)
settings = {"epochs": localizer_epochs, "learning_rate": localizer_rate, "seed": seed}
settings |= {"backbone": localizer_backbone, "bfloat16": bfloat16, "tracker": tracker}
localizers = {
    pooling: run_localizer(
        pooling, train_data, eval_data, localizer_maps[2], **settings
    )
    for pooling in POOLINGS
}


# %%
def from_lowest(heatmap):
    heatmap = heatmap.astype(np.float32) - heatmap.min()
    return heatmap / max(heatmap.max(), 1e-6)


def show_maps(columns, name):
    """`columns`: title -> maps (4, n, h, w); a row for each watched image."""
    pictures, titles, heatmaps, width = [], [], [], 1 + len(columns)
    for k, (image_id, target) in enumerate(zip(watched, targets, strict=True)):
        pictures += [voc.image(image_id)] * width
        titles += [CLASSES[target], *columns]
        heatmaps += [None, *(from_lowest(maps[k, target]) for maps in columns.values())]
    fig, axes = figures.image_grid(pictures, titles, width, heatmaps=heatmaps)
    for k, axis in enumerate(axes[::width]):
        true = truths[CLASSES[targets[k]]][watched[k]]
        figures.draw_boxes(axis, true=from_voc(true))
    return figures.Picture(fig, name)


# %%
#| label: fig-weak-two-epochs
#| fig-cap: "Max pooling: maps of four images after one and after two epochs, each from
#|   its lowest place to its highest."
two = (1, min(2, localizer_epochs))
show_maps(
    {f"epoch {epoch}": localizers["max"].snapshots.at(epoch) for epoch in two},
    "weak-two-epochs",
)

# %% [markdown]
# ### Question 1.4: why does the loss drop so steeply at first?
#
# An image holds one or two of twenty classes, so that nearly all labels are 0. Before
# it has looked at anything, the network can learn just that: say *no* to everything,
# and to each class about as firmly as it is rare. @fig-weak-steps shows the loss of
# each step of the first epoch, beside two guesses that look at no image: 1/2 for every
# class, and for each class the share of the training images that hold it. Some networks
# begin above even the first line: the largest of some hundred random places is a
# confident *yes* to everything. What is below the second line was learnt from images.

# %%
#| label: fig-weak-steps
#| fig-cap: "The first epoch, step by step. Down to the loss of the class frequencies
#|   nothing has to be seen."
known = train_labels >= 0  # (N, 20)
share = ((train_labels == 1).sum(0) / known.sum(0)).clip(1e-6, 1 - 1e-6)  # (20,)
entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
blind = float(np.average(entropy, weights=known.sum(0)))
fig, axes = figures.new_figure(1, 1, figures.NARROW * 1.4, 2.3)
steps = {p: run.first_steps for p, run in localizers.items()}
series = {p: (np.arange(1, len(loss) + 1), loss) for p, loss in steps.items()}
figures.draw_lines(axes[0, 0], series, "step", "loss")
for level, name in ((np.log(2), "1/2"), (blind, "frequencies")):
    axes[0, 0].axhline(level, color=figures.GREY, linewidth=0.8, linestyle=":")
    place = (len(steps["max"]), level)
    axes[0, 0].annotate(name, place, va="bottom", ha="right", fontsize=8)
figures.Picture(fig, "weak-steps", vector=True)

# %%
#| echo: false
Markdown(
    f"Guessing 1/2 costs {np.log(2):.3f}, the class frequencies cost **{blind:.3f}**, "
    f"{1 - blind / np.log(2):.0%} less. The first steps cost "
    + ", ".join(f"{loss[0]:.2f} ({pooling})" for pooling, loss in steps.items())
    + f"; {int((share < 1e-5).sum())} of the {len(CLASSES)} classes are in no image."
)

# %% [markdown]
# ### Question 1.5: two metrics, and their edges
#
# *metric1* is mAP, the mean over classes of the average precision of the list of images
# by their probability; it asks for the right *order* within a class. A network that
# says *no* to everything can have a high mAP, if it says so less firmly where the class
# is. *metric2* is recall at a probability of 0.5: the share of the images with a class
# in which the network says yes, averaged over classes. A network that has only learnt
# that classes are rare has a recall of 0. A class that is in none of the images has
# neither metric, and is left out of the mean; a class that is never predicted has a
# recall of 0; an unknown label counts for nothing.

# %%
truth_says = np.array([[1, 0, -1], [0, 0, 1]])  # a class absent, a label unknown
nobody = np.full((2, 3), 0.1)
example_ap = mean_average_precision(nobody, truth_says)
example_recall = mean_recall(nobody, truth_says)
example = {"AP": example_ap[1], "recall": example_recall[1]}
kinds = ["present once", "absent", "present once, once unknown"]
Table(pd.DataFrame({"class": kinds, **example}), "metrics-by-hand", save=False)

# %% [markdown]
# ### Question 1.6: all epochs
#
# @fig-weak-curves shows both metrics and the losses.

# %%
#| label: fig-weak-curves
#| fig-cap: "Training of the localizers: loss on the training images (solid) and on the
#|   evaluation images (dotted), metric1 and metric2 on the evaluation images."
fig, axes = figures.new_figure(1, 3, height=2.1)
histories = {p: run.history for p, run in localizers.items()}
for axis, column in zip(axes[0], ("loss", "mAP", "recall"), strict=True):
    series = {
        p: (history["epoch"], history[column]) for p, history in histories.items()
    }
    figures.draw_lines(axis, series, "epoch", "", marker=".")
    axis.set_title(column if column == "loss" else f"{column}, %")
for line, history in zip(axes[0, 0].get_lines(), histories.values(), strict=True):
    look = {"color": line.get_color(), "linewidth": 1.0}
    axes[0, 0].plot(history["epoch"], history["val_loss"], ":", **look)
for axis in axes[0, 1:]:
    axis.get_legend().remove()
figures.Picture(fig, "weak-curves", vector=True)

# %%
#| echo: false
starts = {p: history.iloc[0] for p, history in histories.items()}
Markdown(
    "After the first epoch the recall is "
    + ", ".join(f"{row['recall']:.0f} % ({p})" for p, row in starts.items())
    + ", at a training loss of "
    + ", ".join(f"{row['loss']:.2f}" for row in starts.values())
    + "; after the last, "
    + ", ".join(f"{history['recall'].iloc[-1]:.0f} %" for history in histories.values())
    + "."
)

# %% [markdown]
# @fig-weak-epochs follows the maps of the maximum to the end.

# %%
#| label: fig-weak-epochs
#| fig-cap: "Max pooling: the maps of the same images as the training goes on."
some = sorted({1, (localizer_epochs + 1) // 2, localizer_epochs})
show_maps(
    {f"epoch {epoch}": localizers["max"].snapshots.at(epoch) for epoch in some},
    "weak-epochs",
)

# %% [markdown]
# ### Question 1.7: peaks on parts, and what to do about it
#
# The gradient of a maximum goes to one place. Only the best place of an image has to
# become better, and one that tells the class from all others is all that is needed: a
# head, a wheel, or something that is not the object at all, as the water that boats are
# on. The gradient of the mean goes to every place alike. To raise it, *more* places
# have to speak for the class, so the map has to find what the images of a class have in
# common. What the map of the maximum shows away from its peak, nothing has taught it.
# @fig-weak-pooling shows the three side by side, each map from its lowest place to its
# highest, and @tbl-weak-pooling measures them.

# %% tags=["summary"]
#| label: fig-weak-pooling
#| fig-cap: "The same images, the same features, three ways to pool. Max may be content
#|   with a part, or with what is beside the object; average has to find more."
last = localizer_epochs
show_maps({p: run.snapshots.at(last) for p, run in localizers.items()}, "weak-pooling")

# %% tags=["summary"]
#| label: tbl-weak-pooling
#| tbl-cap: "Pooling, measured: the classification (metric1 and metric2), and what the
#|   maps show in images that hold the class. Where a map is above half of its maximum:
#|   covered, the share of the true boxes there, and inside, the share of it that is in
#|   a true box."
rows = []
for pooling, run in localizers.items():
    metrics = run.located.measure(eval_labels)
    row = {"pooling": pooling, "metric1": metrics["mAP"], "metric2": metrics["recall"]}
    rows.append(row | localisation_scores(run.located, truths, levels))
pooled = pd.DataFrame(rows)
measures = list(pooled.columns[1:])
Table(
    pooled,
    "weak-pooling",
    formats=dict.fromkeys(measures, ".1f"),
    best=dict.fromkeys(measures, "max"),
    note="In percent, means over classes. MaxBoxAccV2 takes the threshold that is best "
    f"for these very images. Data: {source}, {eval_split}.",
)

# %%
#| echo: false
by_pooling = pooled.set_index("pooling")
gain = by_pooling.loc["average"] - by_pooling.loc["max"]
misses = 100 - by_pooling["pointing game"]
Markdown(
    f"From max to average, MaxBoxAccV2 changes by **{gain['MaxBoxAccV2']:+.1f}** "
    f"points, the pointing game by {gain['pointing game']:+.1f}, the covered share "
    f"by {gain['covered']:+.1f} and metric1 by {gain['metric1']:+.1f}. In "
    f"{misses['max']:.0f} % of the images (average: {misses['average']:.0f} %) the "
    "peak is on no object of the class at all."
)

# %% [markdown]
# How much of metric1 and metric2 was learnt by heart? @tbl-weak-train-val has them on
# both splits, as the course asks.

# %%
#| label: tbl-weak-train-val
#| tbl-cap: "metric1 (mAP), metric2 (recall at 0.5) and the loss after the last epoch,
#|   on images that the localizers were trained on and on those that they were not."
trained = {p: locate(run.localizer, train_data[0]) for p, run in localizers.items()}
rows = []
for pooling, run in localizers.items():
    on_train = trained[pooling].measure(train_labels)
    on_eval = run.located.measure(eval_labels)
    rows.append((pooling, *on_train.values(), *on_eval.values()))
columns = [
    f"{n}, {split}" for split in ("train", "val") for n in ("mAP", "recall", "loss")
]
Table(
    pd.DataFrame(rows, columns=["pooling", *columns]),
    "weak-train-val",
    formats={c: ".3f" if "loss" in c else ".1f" for c in columns},
    note=f"mAP and recall in percent. Data: {source}; val: {eval_split}.",
)

# %% [markdown]
# ## WSDDN: choosing among proposals
#
# WSDDN [@bilen2016] reads features of each proposal $p$, by ROI-align [@he2017] from
# the backbone's map, with two linear streams. One asks of every proposal, which class?
# The other asks of every class, which proposal? Their product scores the proposal, and
# the sum over proposals the image:
#
# $$ s_{pc} = \frac{e^{x^{\text{cls}}_{pc}}}{\sum_k e^{x^{\text{cls}}_{pk}}} \cdot
#    \frac{e^{x^{\text{det}}_{pc}}}{\sum_q e^{x^{\text{det}}_{qc}}}, \qquad
#    y_c = \sum_p s_{pc} \in [0, 1] $$ {#eq-wsddn}
#
# Again the image's labels are all there is to learn from. To raise $y_c$, the second
# softmax has to put its weight on proposals of which the first says $c$. Nothing in
# that asks for the *whole* object: it is the trap of max pooling once more. In the
# paper the features are trained along; here they are frozen.
#
# A part and a whole differ in what is *around* them. Around a part there is more of the
# object, around the whole there is not. So the second stream may read the difference of
# the proposal's features and of those around it, $f_p - f_{p}^{\text{around}}$, as the
# contrastive model of @kantorov2016 does; around is what a box 1.8 times as wide and
# high adds. We train both. The loss is the cross-entropy of $y_c$, summed over classes
# (that of the localizers was the mean).

# %%
train_regions = keep_proposal_features(train_maps, proposals, proposal_count)
eval_regions = keep_proposal_features(eval_maps, proposals, proposal_count)
settings = {"epochs": wsddn_epochs, "learning_rate": wsddn_rate, "seed": seed}
settings |= {"hidden": hidden, "spatial": spatial, "tracker": tracker}
data = ((train_regions, train_labels), (eval_regions, eval_labels))
plain = run_wsddn(*data, contrast=False, **settings)
wsddn = run_wsddn(*data, contrast=True, **settings)

# %% [markdown]
# Of the proposals that overlap by more than the knob `nms_iou` the best remains, for
# each class on its own (*non-maximum suppression*). Nothing is cut off by score:
# average precision reads the whole list, and a cut-off can only shorten it.

# %%
detections = {
    "WSDDN, box alone": detect_proposals(eval_regions, plain.scores, CLASSES, nms_iou),
    "WSDDN": detect_proposals(eval_regions, wsddn.scores, CLASSES, nms_iou),
}


# %% [markdown]
# @tbl-weak-wsddn has both: average precision at IoU 0.5 in the protocol of VOC2007,
# which passes over difficult objects, and *CorLoc* [@deselaers2012], the share of the
# images with a class whose first box is right. CorLoc is often published for training
# images; here it is that of images that were not trained on.


# %% tags=["summary"]
#| label: tbl-weak-wsddn
#| tbl-cap: "WSDDN with and without a look around the box. First box: the mean share of
#|   the image that the first box of a class that is there covers. Images: mAP of the
#|   classification by the image's score."
def first_share(scores):
    best = scores.argmax(1)  # (N, 20), of each class
    images, classes = np.nonzero(eval_labels == 1)
    boxes = eval_regions.boxes[images, best[images, classes]]
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return 100 * float((areas / eval_regions.sizes[images].prod(1)).mean())


rows = []
for (name, boxes), run in zip(detections.items(), (plain, wsddn), strict=True):
    row = {"detector": name, "mAP": classwise_ap(boxes, truths).mean()}
    row["CorLoc"] = classwise_corloc(boxes, truths).mean()
    row["first box"] = first_share(run.scores)
    image_scores = run.scores.sum(1).clip(0, 1)
    row["images"] = 100 * mean_average_precision(image_scores, eval_labels)[0]
    rows.append(row)
contrasted = pd.DataFrame(rows)
Table(
    contrasted,
    "weak-wsddn",
    formats=dict.fromkeys(contrasted.columns[1:], ".1f"),
    best={"mAP": "max", "CorLoc": "max"},
    note="In percent, means over classes. Protocol: voc07, IoU 0.5. "
    f"Data: {source}, {eval_split}.",
)

# %%
#| echo: false
without, around = (contrasted.set_index("detector").loc[name] for name in detections)
Markdown(
    f"The first boxes cover {without['first box']:.0f} % of the image on average "
    f"without, and {around['first box']:.0f} % with a look around. mAP goes from "
    f"{without['mAP']:.1f} % to **{around['mAP']:.1f} %**, CorLoc from "
    f"{without['CorLoc']:.1f} % to **{around['CorLoc']:.1f} %**."
)

# %% [markdown]
# ### The course's plots
#
# @fig-weak-wsddn-curves has the three curves that the course asks for: the loss on the
# training images, the loss on the evaluation images, and mAP of the *boxes* after some
# of the epochs.

# %%
#| label: fig-weak-wsddn-curves
#| fig-cap: "Training of WSDDN: losses, and mAP of the boxes at IoU 0.5 (of the images
#|   without their mirror images)."
history = wsddn.history
some = np.unique(np.linspace(1, wsddn_epochs, 4).round().astype(int))
at_epoch = {
    epoch: detect_proposals(eval_regions, wsddn.snapshots.at(epoch), CLASSES, nms_iou)
    for epoch in (int(e) for e in some)
}
box_ap = [classwise_ap(boxes, truths).mean() for boxes in at_epoch.values()]
fig, axes = figures.new_figure(1, 3, height=2.0)
plots = {"training loss": (history["epoch"], history["loss"])}
plots["validation loss"] = (history["epoch"], history["val_loss"])
plots["mAP of the boxes, %"] = (list(at_epoch), box_ap)
for axis, (title, series) in zip(axes[0], plots.items(), strict=True):
    figures.draw_lines(axis, {title: series}, "epoch", "", marker=".")
    axis.set(title=title, ylim=(0, None))
figures.Picture(fig, "weak-wsddn-curves", vector=True)

# %% [markdown]
# @fig-weak-first-last shows the two best boxes of a class after the first and after the
# last epoch.


# %% tags=["summary"]
#| label: fig-weak-first-last
#| fig-cap: "The best boxes of a class that is there, after the first epoch (above) and
#|   after the last one (below): right ones at IoU 0.5 orange, wrong ones vermilion,
#|   true ones dashed."
def mark(axis, image_id, name, boxes):
    truth = truths[name][image_id]
    best = box_iou(boxes[:, None], truth[None, :, :4], pixel=1).max(1)
    kinds = {"found": boxes[best >= 0.5], "wrong": boxes[best < 0.5]}
    drawn = {kind: from_voc(boxes) for kind, boxes in kinds.items()}
    figures.draw_boxes(axis, true=from_voc(truth), **drawn)


pairs = [(eval_ids[k], CLASSES[c]) for k, c in np.argwhere(eval_labels == 1)]
picked = np.random.default_rng(seed).choice(len(pairs), min(5, len(pairs)), False)
cases = [pairs[k] for k in picked]
ends = (min(at_epoch), max(at_epoch))
titles = [f"{name}, epoch {epoch}" for epoch in ends for _, name in cases]
fig, axes = figures.image_grid([voc.image(i) for i, _ in cases] * 2, titles, len(cases))
for axis, (epoch, (i, name)) in zip(
    axes, [(epoch, case) for epoch in ends for case in cases], strict=True
):
    mark(axis, i, name, at_epoch[epoch][name][i][:2])
figures.Picture(fig, "weak-first-last")

# %% [markdown]
# ## Against Grad-CAM's boxes
#
# @sec-dogs drew boxes around maps. Its four heads are fitted here to the very same
# feature maps. There are three detectors by maps: plain *Grad-CAM*, the *whole chain*,
# whose places have learnt from all images, and the averaging localizer. A map becomes a
# box at a threshold, one for each class, and that is chosen by the true boxes of
# training images: for the first two of images that their heads were not fitted to, for
# the localizer of those that it was trained on. WSDDN sees no box at any time, so the
# comparison favours the maps.

# %%
features = features_from_maps(network, train_maps)
aside = cross_fit(network, train_ids, features, train_labels, folds, seed=seed)
fit_heads(network, features, train_labels, seed=seed)
learnt = {name: voc.ground_truth(train_ids, name) for name in CLASSES}

recipes = {"Grad-CAM": Recipe("gradcam"), "whole chain": DEFAULT_RECIPE}
chosen = {
    name: choose_thresholds(aside, learnt, recipe, kinds=[recipe.kind])[recipe.kind]
    for name, recipe in recipes.items()
}
evidence = evidence_from_maps(network, eval_maps)


# %%
def cam_boxes(recipe, thresholds):
    """Boxes of each class that has a threshold: {class: {id: (K, 5)}}."""
    return {
        name: replace(recipe, threshold=t).detect(evidence, CLASSES.index(name))
        for name, t in thresholds.items()
    }


averaged, learnt_from = localizers["average"].located, trained["average"]
chosen["localizer"] = map_thresholds(learnt_from, learnt, levels)
for name, recipe in recipes.items():
    detections[name] = cam_boxes(recipe, chosen[name])
detections["localizer, average"] = {
    name: Recipe(threshold=t).detect_in(averaged.class_maps(CLASSES.index(name)))
    for name, t in chosen["localizer"].items()
}

# %% [markdown]
# @tbl-weak-systems compares them on the same images. The intervals come from drawing
# the evaluation images anew; the gain over Grad-CAM is taken on the same draws.

# %% tags=["summary"]
#| label: tbl-weak-systems
#| tbl-cap: "All detectors of this chapter on the same images, learnt from the same
#|   image labels: mAP at IoU 0.5 with 95 % bootstrap intervals over images, the gain
#|   over Grad-CAM in points, CorLoc, and mAP at IoU 0.3. Those by maps have thresholds
#|   that boxes of training images have chosen."
order = ["Grad-CAM", "localizer, average", "whole chain", "WSDDN, box alone", "WSDDN"]
systems = {name: detections[name] for name in order}
drawn = {"n": bootstrap_samples, "seed": seed}
compared = mean_ap(systems, truths, eval_ids, **drawn)
compared["CorLoc"] = [classwise_corloc(f, truths).mean() for f in systems.values()]
compared["at 0.3"] = [classwise_ap(f, truths, 0.3).mean() for f in systems.values()]
compared.loc[0, ["gain", "gain low", "gain high"]] = np.nan
shown = compared.rename(columns={"system": "detector"})
Table(
    shown,
    "weak-systems",
    formats={"mAP": ".1f", "gain": "+.1f", "CorLoc": ".1f", "at 0.3": ".1f"},
    best={"mAP": "max", "CorLoc": "max", "at 0.3": "max"},
    intervals={"mAP": ("low", "high"), "gain": ("gain low", "gain high")},
    note=f"In percent. Protocol: voc07. Data: {source}, {eval_split}.",
)

# %% [markdown]
# @tbl-weak-classes has the classes. They don't all prefer the same detector.

# %%
#| label: tbl-weak-classes
#| tbl-cap: "Average precision of each class at IoU 0.5, and CorLoc of WSDDN. Average
#|   precision passes over difficult objects, CorLoc does not."
rivals = ["Grad-CAM", "whole chain", "WSDDN"]
per_class = pd.DataFrame(
    {name: classwise_ap(detections[name], truths) for name in rivals}
)
per_class["CorLoc"] = classwise_corloc(detections["WSDDN"], truths)
counted = {
    n: sum(int((1 - b[:, 4]).sum()) for b in truths[n].values()) for n in CLASSES
}
per_class.insert(0, "objects", pd.Series(counted))
per_class = per_class.dropna().rename_axis("class").reset_index()
mean = {"class": "mean", **per_class.drop(columns=["class", "objects"]).mean()}
numbers = list(per_class.columns[2:])
Table(
    pd.concat([per_class, pd.DataFrame([mean])], ignore_index=True),
    "weak-classes",
    formats={**dict.fromkeys(numbers, ".1f"), "objects": ".0f"},
    note=f"In percent; objects without the difficult ones. Protocol: voc07. Data: "
    f"{source}, {eval_split}.",
)

# %%
#| echo: false
of_class = per_class.set_index("class")
gap = (of_class["WSDDN"] - of_class[rivals[:2]].max(axis=1)).sort_values()
best_of = compared.set_index("system")
Markdown(
    f"WSDDN is best for {(gap > 0).sum()} of {len(gap)} classes, above all "
    f"for {gap.index[-1]} ({gap.iloc[-1]:+.1f} points over the better map's boxes), "
    f"and furthest behind for {gap.index[0]} ({gap.iloc[0]:+.1f}). Over Grad-CAM its "
    f"mAP gains {best_of.loc['WSDDN', 'gain']:+.1f} points "
    f"({best_of.loc['WSDDN', 'gain low']:+.1f} to "
    f"{best_of.loc['WSDDN', 'gain high']:+.1f}), the whole chain's "
    f"{best_of.loc['whole chain', 'gain']:+.1f}."
)

# %% [markdown]
# @tbl-weak-published has what others have published. They trained AlexNet or VGG-16
# with the task, on all of VOC2007, and evaluated in ways of their own: no row of it and
# no number above were measured on the same images.

# %%
#| label: tbl-weak-published
#| tbl-cap: "As published, not measured here: a student of the course with AlexNet, and
#|   the literature's range for WSDDN with VGG-16 on VOC2007's test set."
published = {
    "localizer, max, 30 epochs": (49.8, 43.5, ""),
    "localizer, average, 45 epochs": (85.9, 79.7, ""),
    "WSDDN, student": (np.nan, np.nan, "13"),
    "WSDDN, literature": (np.nan, np.nan, "24 to 35"),
}
names = ["mAP (images)", "recall (images)", "mAP (boxes)"]
frame = pd.DataFrame(published.values(), list(published), names)
Table(
    frame.rename_axis("published").reset_index(),
    "weak-published",
    formats=dict.fromkeys(names[:2], ".1f"),
    note="In percent.",
)

# %% [markdown]
# ## Boxes that are wrong
#
# @fig-weak-failures has images with a class whose first WSDDN box is wrong, the most
# confident first. A box may hold a part, the head of an animal above all; or several
# objects; or the object and what always comes with it.

# %%
#| label: fig-weak-failures
#| fig-cap: "Confident and wrong: the first box of WSDDN (vermilion) and the true boxes
#|   (dashed), with the highest IoU."
wrong = []
for i, name in pairs:
    box, truth = detections["WSDDN"][name][i][:1], truths[name][i]
    iou = float(box_iou(box[:, None], truth[None, :, :4], pixel=1).max())
    if iou < 0.5:
        wrong.append((box[0, 4], i, name, iou))
worst = sorted(wrong, reverse=True)[:10] or [(0.0, *pairs[0], 0.0)]
titles = [f"{name}\nIoU {np.floor(100 * iou) / 100:.2f}" for _, _, name, iou in worst]
fig, axes = figures.image_grid([voc.image(i) for _, i, _, _ in worst], titles, 5)
for axis, (_, i, name, _) in zip(axes, worst, strict=True):
    mark(axis, i, name, detections["WSDDN"][name][i][:1])
figures.Picture(fig, "weak-failures")

# %%
#| echo: false
near = sum(iou >= 0.1 for *_, iou in wrong)
Markdown(
    f"{len(wrong)} of {len(pairs)} first boxes are wrong at IoU 0.5; {near} of these "
    "overlap an object of the class by 0.1 or more."
)

# %% [markdown]
# ## What we saw
#
# No recorded run says yet which of this holds on photographs. At `sample` the pictures
# are drawn, and drawings have reversed rankings of detectors before.
#
# - Proposals need no learning, and set a limit to the recall of what chooses among them
#   (@tbl-weak-proposals).
# - The first drop of the loss is bookkeeping: class frequencies. What is learnt from
#   images comes after it.
# - Max pooling is content with one telling place, on the object or not; average pooling
#   needs many (@tbl-weak-pooling). The features and the labels are the same.
# - On frozen features WSDDN falls into the same trap, and looking at what is around a
#   box helps it out, though not of all of it (@tbl-weak-wsddn, @fig-weak-failures).
#
# ## What failed, and what would improve it
#
# Features that are trained along, as in both papers, would help; ours are ImageNet's.
# A second stage may learn from WSDDN's best boxes as if they were true [@tang2017]. Our
# trial of it, on features of an earlier state, made the boxes worse: taken inside of a
# box, they tell a head from a body, but not a part from a whole. Groups stay merged, as
# nothing in an image label says *how many*. That WSDDN looks around, at which features,
# and its learning rate were chosen on training images of VOC2007 that were set aside.
#
# ## The course's questions
#
# ::: {.callout-note title="Why take the most confident proposals?" collapse="true"}
# There are too many, and their confidence is all that is known of them before a class
# is. @tbl-weak-proposals says how many objects the first ones reach.
# :::
#
# ::: {.callout-note title="Why does the loss drop first?" collapse="true"}
# Nearly all labels are 0, and saying so needs no image (@fig-weak-steps).
# :::
#
# ::: {.callout-note title="Why does max pooling light up parts?" collapse="true"}
# Its gradient touches one place a class and image; one telling place is enough to end
# the training. See question 1.7.
# :::
#
# ::: {.callout-note title="What does average pooling change?" collapse="true"}
# Every place has its share of the gradient, so that the logit can only rise by more
# places speaking for the class. The map has to find more than one telling place; what
# that is worth for localisation is in @tbl-weak-pooling.
# :::
#
# ## Exercises
#
# 1. Train with half the proposals: `SET="proposal_count=75"`. What can only fall?
# 2. Put a linear layer before the streams and regularise it:
#    `SET="hidden=128 spatial=1"`. Do the first boxes change?
# 3. Set `nms_iou=0.2`, then 0.6. Which of mAP and CorLoc can't change, and why?
# 4. With the network, take the course's own features: `SET="localizer_backbone=alexnet
#    input_size=512"`.
#
# ::: {.callout-tip title="Solutions" collapse="true"}
# 1. The recall of the proposals. mAP may even rise: fewer boxes, fewer false ones.
# 2. The regulariser pulls the features of boxes next to the best one towards it, and so
#    their scores, of which NMS then keeps one. See @tbl-weak-wsddn for what it is
#    worth.
# 3. CorLoc: the first box of a class is never suppressed.
# 4. The maps have 29 by 29 places. See @tbl-weak-pooling for what AlexNet is worth.
# :::
