# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Dogs from image labels {#sec-dogs}
#
# Somebody has looked at a few hundred photographs and noted for each which things are
# on it: *dog, person, sofa*. Nobody has drawn a box. Can a network that learnt from
# these labels alone say **where** the dogs are?
#
# You will learn
#
# - to train a classifier on image labels in seconds, with a backbone that is frozen;
# - to turn its Grad-CAM maps into boxes, with one threshold that is chosen honestly;
# - what precision, recall and average precision count, and how they are fooled;
# - why the baselines come first, and what a few dozen dogs can and cannot tell;
# - how such a detector fails.
#
# **Data and time.** With the profiles `smoke` and `sample` the pictures are *rendered*
# by this project, in the layout of VOC2007, and need no network; the profile `full`
# takes the photographs of VOC2007 [@everingham2010]. At `sample` the chapter takes
# less than two minutes on two processor cores, drawing the pictures included.

# %% tags=["parameters"]
from typing import Literal

dataset: Literal["rendered", "voc2007"] = "rendered"  # drawn here, or photographs
rendered: dict[str, int] = {"train": 300, "val": 100, "test": 240}  # how many
train_split: str = "trainval"  # the classifier and the threshold are chosen on these
eval_split: str = "test"  # everything is measured on these, once
eval_limit: int | None = None  # only the first so many of them
class_name: str = "dog"  # what is to be found
backbone: str = "efficientnet_lite0"  # or resnet18, resnet50 (they need the network)
input_size: int = 448  # pixels; images are resized to a square of this side
fine_tune_epochs: int = 0  # of the whole network; 0 fits the head alone
penalty: float = 0.1  # on the squared weights of the head that tells the classes
map_penalty: float = 1.0  # and of the head that shows where they are
thresholds: list[float] = [
    0.04, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5,
]  # of the heat map, from which one is chosen  # fmt: skip
iou_thresholds: list[float] = [0.3, 0.4, 0.5]  # up to three, for AP and recall
protocol: Literal["course", "voc07", "voc10"] = "course"  # how AP is computed
max_boxes: int = 3  # an image, best first
area_power: float = 0.2  # of the box's share of the image, in its score
bootstrap_samples: int = 1000  # for the intervals
batch_size: int = 8  # images at a time through the network
seed: int = 0  # of the pictures, of fine-tuning and of the bootstrap
device: str = "auto"  # cpu, cuda, or the better one that is there

# %% [markdown]
# ## The pictures
#
# VOC2007 has twenty classes. Each photograph comes with boxes, but the classifier will
# only be told *which* classes an image holds; the boxes are kept for the examination.

# %%
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from wslib import figures
from wslib.boxes import centre_box, from_voc
from wslib.cam import GradCAM
from wslib.data.datasets import learn_and_examine, open_voc2007
from wslib.data.voc import CLASSES
from wslib.device import pick_device
from wslib.heads import fit_heads
from wslib.localisation import class_maps, detect, sweep
from wslib.metrics.bootstrap import compare_detectors, paired_difference
from wslib.metrics.classification import mean_average_precision
from wslib.metrics.detection import box_iou, evaluate, precision_recall
from wslib.models.classifiers import build_classifier
from wslib.tables import Table
from wslib.training import fine_tune

device = pick_device(device)
voc = open_voc2007(dataset, **rendered, seed=seed)
splits = (train_split, eval_split, eval_limit)
train_ids, eval_ids = learn_and_examine(voc, class_name, *splits)
target = CLASSES.index(class_name)
source = "rendered pictures" if voc.rendered else "VOC2007 photographs"

# %% [markdown]
# @fig-pictures shows some of those on which the detector will be measured, with the
# boxes that it will never see.

# %%
#| label: fig-pictures
#| fig-cap: "Pictures of the evaluation split, four with the class that is to be found
#|   and its true boxes, four without. Objects are cut by the border, hide each other
#|   and differ in size: a box amid the picture won't do."
truth = voc.ground_truth(eval_ids, class_name)
with_dog = [image_id for image_id in eval_ids if len(truth[image_id])]
shown = with_dog[:4] + [i for i in eval_ids if i not in with_dog][:4]
fig, axes = figures.image_grid([voc.image(i) for i in shown], columns=4)
for axis, image_id in zip(axes, shown, strict=True):
    boxes = from_voc(truth[image_id])
    figures.draw_boxes(axis, true=boxes, labels={"true": [class_name] * len(boxes)})
figures.Picture(fig, "voc-pictures")

# %% [markdown]
# How many there are decides how much can be learnt, and how finely the result can be
# told. VOC marks objects that are hard even for people as *difficult*; most of its
# measures pass over them, the one of the course counts them. @tbl-data counts both.


# %%
#| label: tbl-data
#| tbl-cap: "What there is to learn from and to be measured on. Each percentage of
#|   recall below stands for the objects of the last row."
def counts(split, ids):
    objects = np.concatenate(list(voc.ground_truth(ids, class_name).values()))
    images = sum(len(boxes) > 0 for boxes in voc.ground_truth(ids, class_name).values())
    return {
        "split": split,
        "images": len(ids),
        f"with a {class_name}": images,
        f"{class_name} objects": len(objects),
        "of them difficult": int(objects[:, 4].sum()),
    }


rows = [counts(train_split, train_ids), counts(eval_split, eval_ids)]
Table(pd.DataFrame(rows), "voc-data", note=f"Data: {source}.")

# %% [markdown]
# ## A classifier, from labels alone
#
# The backbone is a network trained on ImageNet [@tan2019; @deng2009]; we use its last
# feature map $A$ (one channel $A_k$ for each of $K$ features) and put a new linear
# layer, the *head*, behind the mean over all places:
#
# $$ y_c = b_c + \sum_k W_{ck}\; \frac{1}{hw} \sum_{i,j} A_{k,ij} $$ {#eq-head}
#
# An image may hold several classes, so each logit $y_c$ goes through a sigmoid of its
# own, and the loss is the binary cross-entropy. As long as the backbone is frozen, the
# means of $A_k$ never change: they are computed once, for each image and its mirror
# image. What remains is logistic regression, a convex problem that is solved in a
# second, with a penalty on the squared weights.
#
# The penalty matters beyond accuracy. A head that may not put large weights on few
# features has to use *more* features, and more features cover more of the object: the
# best penalty for *showing* is larger than the best one for *telling*. So we fit two
# heads on the same features, and one pass through the network serves both. Their
# penalties, the input size and what goes into the score below were chosen once, by
# five-fold cross-validation on the split `train` of VOC2007.

# %%
classifier = build_classifier(backbone, len(CLASSES), seed=seed).to(device)
train_paths = [voc.image_path(i) for i in train_ids]
train_labels = torch.from_numpy(voc.labels(train_ids))  # (N, 20)
training = (classifier, train_paths, train_labels, input_size)
if fine_tune_epochs:
    fit_heads(*training, [penalty], batch_size)
    fine_tune(*training, fine_tune_epochs, batch_size=batch_size, seed=seed)
fit_heads(*training, [penalty, map_penalty], batch_size)

# %% [markdown]
# Now the images that were not trained on: **one** pass over them gives the probability
# of each class and, at the price of a matrix product,
# the Grad-CAM map of our class. Image and mirror image are averaged. Everything below
# is made from what this pass leaves in memory; the network does not run again on them.

# %%
cam = GradCAM(classifier, [classifier.target_layer])
eval_paths = [voc.image_path(i) for i in eval_ids]
heads = {"target": target, "explain": len(CLASSES) + target}  # one tells, one shows
options = {**heads, "size": input_size, "batch_size": batch_size}
maps = class_maps(cam, eval_ids, eval_paths, **options)

# %% [markdown]
# For each class, rank the images by its probability and take the average precision of
# that list (@tbl-classification); how that is computed comes further below. A class
# that is absent from the split has none.

# %%
#| label: tbl-classification
#| tbl-cap: "Classification: average precision of each class on the evaluation split.
#|   A list in random order scores about the share of images with the class."
eval_labels = voc.labels(eval_ids)  # (N, 20)
told = maps.probabilities[:, : len(CLASSES)]
mean_ap, class_ap = mean_average_precision(told, eval_labels)
frame = pd.DataFrame(
    {
        "class": CLASSES,
        "images": (eval_labels == 1).sum(0),
        "share": 100 * (eval_labels == 1).mean(0),
        "AP": 100 * class_ap,
    }
)
frame = frame[frame["images"] > 0].sort_values("AP", ascending=False)
Table(
    frame.reset_index(drop=True),
    "voc-classification",
    formats={"share": ".1f", "AP": ".1f"},
    units={"share": "%", "AP": "%"},
    note=f"Data: {source}.",
)

# %%
#| echo: false
Markdown(
    f"The mean over the classes, **mAP**, is **{100 * mean_ap:.1f} %**; the "
    f"{class_name} has {100 * class_ap[target]:.1f} %."
)

# %% [markdown]
# ## Baselines first
#
# A detector that knows nothing of the picture sets the bar. Three of them, as in the
# course this chapter comes from:
#
# - **A** puts one box amid every image, with its aspect and 30 % of its area, score 1;
# - **B** cheats: A, but only where there is a dog, which the examiner whispers;
# - **C** is A, scored with the classifier's probability of a dog.
#
# B has no false image and C no idea of the place: whatever a Grad-CAM box gains over C
# is localisation.


# %%
def amid(image_id, score):
    note = voc.annotation(image_id)
    return centre_box(note.width, note.height, area=0.3, score=score)


detections = {
    "A": {i: amid(i, 1.0) for i in eval_ids},
    "B": {i: amid(i, 1.0) for i in with_dog},
    "C": {i: amid(i, score) for i, score in zip(eval_ids, maps.scores, strict=True)},
}

# %% [markdown]
# ## From maps to boxes
#
# Grad-CAM weighs each channel of the feature map by how much the logit would gain if
# that channel rose everywhere (@sec-gradcam). Behind a mean and a linear head that
# weight is $W_{ck}$ up to a constant, and the map is the evidence for the class at each
# place:
#
# $$ M_{ij} = \Big[ \sum_k w_k A_{k,ij} \Big]_+, \qquad
#    w_k = \frac{1}{hw} \sum_{i,j} \frac{\partial y_c}{\partial A_{k,ij}} $$ {#eq-map}
#
# The detector is four steps: resize the sum to the image and cut it at 0; keep the
# pixels with $M \ge t \cdot \max M$; find the connected components; draw the tight box
# around each (@fig-steps). With the probability $p$ of the class, the component's share
# $m$ of the map, relative to the heaviest one's, and the box's share $a$ of the image,
# it scores
#
# $$ s = p \cdot m \cdot a^{\gamma}. $$ {#eq-score}
#
# The small power $\gamma$ puts small boxes behind large ones: a small box more often
# holds a part than the whole.

# %%
#| label: fig-steps
#| fig-cap: "The four steps on one picture. The evidence sits on a part of the animal;
#|   a low threshold lets the box grow, and beyond some point into the background."
index = max(
    (eval_ids.index(i) for i in with_dog), key=lambda number: maps.scores[number]
)
image, heatmap = voc.image(eval_ids[index]), maps.heatmap(index)
levels = (0.5, 0.25, 0.1)
fig, axes = figures.image_grid(
    [image] * (2 + len(levels)),
    ["image", "map", *(f"t = {level}" for level in levels)],
    columns=5,
    heatmaps=[None, heatmap, *(heatmap * (heatmap >= level) for level in levels)],
)
for axis, level in zip(axes[2:], levels, strict=True):
    boxes = from_voc(detect(maps, level)[eval_ids[index]])
    figures.draw_boxes(axis, true=from_voc(truth[eval_ids[index]]), found=boxes)
figures.Picture(fig, "voc-steps")

# %% [markdown]
# ### One threshold, chosen where it may be chosen
#
# Most depends on the threshold $t$. Choosing it on the images that it is measured on
# would be choosing the result. So it is swept on the *training* images that hold a dog
# (@fig-sweep): the maps are made once, and no threshold runs the network again.

# %%
train_truth = voc.ground_truth(train_ids, class_name)
tuning_ids = [i for i in train_ids if len(train_truth[i])]
tuning_paths = [voc.image_path(i) for i in tuning_ids]
tuning_maps = class_maps(cam, tuning_ids, tuning_paths, **options)
tuning_truth = {i: train_truth[i] for i in tuning_ids}
boxes_and_scores = {"max_boxes": max_boxes, "area_power": area_power}
ap = {
    t: evaluate(found, tuning_truth, iou_thresholds, protocol).loc["ap"]
    for t, found in sweep(tuning_maps, thresholds, **boxes_and_scores).items()
}
swept = pd.DataFrame(ap).T  # (T, IoU)
threshold = float(swept.mean(axis=1).idxmax())

# %%
#| label: fig-sweep
#| fig-cap: "Average precision on training images with a dog against the threshold, at
#|   each IoU. The dotted line marks the threshold with the best mean of the curves."
fig, axes = figures.new_figure(width=4.2, height=2.4)
series = {f"IoU {iou}": (swept.index, swept[iou]) for iou in swept}
figures.draw_lines(axes[0, 0], series, "threshold t", "AP (%)", marker="o")
axes[0, 0].axvline(threshold, color=figures.GREY, linestyle=":")
figures.Picture(fig, "voc-sweep", vector=True)

# %%
#| echo: false
Markdown(
    f"The best mean is reached at **t = {threshold}**, with "
    f"{swept.mean(axis=1).max():.1f} %. From here on it is fixed."
)

# %% [markdown]
# ## What is measured, and how
#
# A found box is *right* if its intersection with a true box, divided by their union
# (IoU), is above a threshold, and that true box has not been found before by a better
# scored one. Going down the list of all found boxes of all images, best score first:
#
# - **precision** is the share of right boxes among those seen so far,
# - **recall** the share of true boxes that have been found so far.
#
# **Average precision** is the area below precision as a function of recall. It rewards
# a list whose beginning is right, and needs no cut-off. The last recall says how many
# objects are found at all, whatever else is found.
#
# The small print moves the number by several points: eleven sample points or all,
# difficult objects counted or passed over, one pixel more or less, ties. @tbl-detection
# names its protocol. With a few dozen objects, each of them is worth a percent or two:
# the brackets hold 95 % intervals from drawing the images again and again with
# replacement [@efron1993].

# %%
#| label: tbl-detection
#| tbl-cap: "Boxes from image labels: average precision and recall. Grad-CAM must beat
#|   C, which has the same classifier, and may even beat B, which knows where dogs are."
detections["Grad-CAM"] = detect(maps, threshold, **boxes_and_scores)
examined = {"iou_thresholds": iou_thresholds, "protocol": protocol, "images": eval_ids}
drawn = {"n": bootstrap_samples, "seed": seed}
compared = compare_detectors(detections, truth, **examined, **drawn)
columns = [f"AP {iou}" for iou in iou_thresholds]
bounds = [f"recall {iou} {end}" for iou in iou_thresholds for end in ("low", "high")]
Table(
    compared.drop(columns=bounds),  # too wide for the page with them
    "voc-detection",
    formats=".1f",
    best=dict.fromkeys(columns, "max"),
    intervals={name: (f"{name} low", f"{name} high") for name in columns},
    note=f"In percent. Data: {source}. A: centre box; B: A where there is a "
    f"{class_name}; C: A with the classifier's score.",
)

# %% [markdown]
# The intervals of two detectors may overlap although one is clearly better: both are
# measured on the same images, and an image that is hard for one is hard for the other.
# The *difference* on the same drawn images says more.

# %%
#| echo: false
gain = paired_difference(
    detections["Grad-CAM"], detections["C"], truth, **examined, **drawn
)
gain = gain[gain["metric"] == "ap"]
Markdown(
    "Grad-CAM minus baseline C, average precision: "
    + "; ".join(
        f"at IoU {row.iou} **{row.value:+.1f}** points, 95 % interval "
        f"{row.low:+.1f} to {row.high:+.1f}"
        for row in gain.itertuples()
    )
    + "."
)

# %% [markdown]
# @fig-pr shows where the area comes from. A curve that starts at 1 means that the
# highest scores are right. Where it ends, the boxes end: the rest was not found, at
# that IoU, with any score.

# %%
#| label: fig-pr
#| fig-cap: "Precision against recall of Grad-CAM and of baseline C, at the lowest and
#|   the highest IoU. Both rest on the same classifier: what lies between the curves is
#|   what the map adds."
ends = (iou_thresholds[0], iou_thresholds[-1])
fig, axes = figures.new_figure(1, 2, height=2.5, sharey=True)
for axis, iou in zip(axes.flat, ends, strict=True):
    curves = {
        name: precision_recall(detections[name], truth, iou, protocol)
        for name in ("Grad-CAM", "C")
    }
    series = {name: (c["recall"], c["precision"]) for name, c in curves.items()}
    figures.draw_lines(axis, series, "recall", "precision")
    axis.set(title=f"IoU {iou}", xlim=(0, 1), ylim=(0, 1.05))
figures.Picture(fig, "voc-precision-recall", vector=True)

# %% [markdown]
# ## Looking at the boxes
#
# Numbers hide what a glance shows. For each image with a dog, take the IoU of the found
# box with the true box that it fits best. @fig-best has the best of them, @fig-worst
# the worst.

# %%
first = {i: boxes[:1] for i, boxes in detections["Grad-CAM"].items()}
overlap = {
    i: float(box_iou(first[i][:, :4], truth[i][:, :4], pixel=1).max())
    for i in with_dog
    if len(first[i])
}
ranked = sorted(overlap, key=overlap.get, reverse=True)


def gallery(ids, name):
    index = [(eval_ids.index(i), i) for i in ids]
    titles = [f"{maps.scores[n]:.2f}, IoU {overlap.get(i, 0):.2f}" for n, i in index]
    heatmaps = [maps.heatmap(n) for n, _ in index]
    images = [voc.image(i) for i in ids]
    width = figures.WIDE * min(len(ids), 4) / 4
    fig, axes = figures.image_grid(images, titles, 4, width, heatmaps)
    for axis, i in zip(axes, ids, strict=True):
        kind = "found" if overlap.get(i, 0) > 0.5 else "wrong"
        boxes = {kind: from_voc(first[i])}
        figures.draw_boxes(axis, true=from_voc(truth[i]), **boxes)
    return figures.Picture(fig, name)


# %% [markdown]
# Each title gives the probability of the class and the IoU; true boxes are dashed.

# %%
#| label: fig-best
#| fig-cap: "The best boxes. Where the animal is alone and seen whole, the map covers
#|   most of it."
gallery(ranked[:8], "voc-best")

# %% [markdown]
# The failures have few kinds: the map lights up one part, mostly the head; one box
# spans several animals, as the map has no notion of *one* dog; the evidence spills
# over onto something that comes along with dogs; the object is small, and so is a map
# of a few cells.

# %%
#| label: fig-worst
#| fig-cap: "The worst boxes on images that do hold the class, in vermilion. Most are
#|   at the right place and of the wrong extent."
gallery(ranked[-8:], "voc-worst")

# %% [markdown]
# And the third kind of error: a confident box on an image without a dog (@fig-false).

# %%
#| label: fig-false
#| fig-cap: "Images without the class on which the classifier is most sure of it. These
#|   boxes come early in the list, and cost the most precision."
without = [n for n, i in enumerate(eval_ids) if not len(truth[i])]
without = sorted(without, key=lambda n: -maps.scores[n])[:4]
gallery([eval_ids[n] for n in without], "voc-false")

# %% [markdown]
# ## What we saw
#
# - A frozen backbone, a linear head and one threshold turn image labels into boxes.
# - The probability decides the order of the list, and the map the boxes: C shows how
#   far the first goes alone, the difference to Grad-CAM what the second adds.
# - Baseline A is one tie: every box has the score 1. In the protocol `course` such
#   boxes count in the order of the list, so that shuffling the images moves its AP.

# %%
#| echo: false
missed = sum(overlap.get(i, 0) <= 0.5 for i in with_dog)
near = sum(0.3 < value <= 0.5 for value in overlap.values())
Markdown(
    f"- Of {len(with_dog)} images with a {class_name}, {missed} have no first box with "
    f"an IoU above 0.5; {near} of these lie between 0.3 and 0.5: right place, wrong "
    "extent."
)

# %% [markdown]
# ## What failed, and what would improve it
#
# The network was trained to *tell* classes and looks at what tells them best; nothing
# in the loss asks for the whole object. So the first loss is extent, not finding. Maps
# at several scales and of earlier layers, several components, and boxes from masks that
# the map prompts attack that; better classification attacks the false images.
#
# ## The course's questions
#
# ::: {.callout-note title="How does Grad-CAM differ from CAM?" collapse="true"}
# It weighs each channel of a feature map by the mean gradient of the class's logit and
# sums. CAM [@zhou2016] takes the weights of the linear layer behind a global average
# instead, and so needs a network that ends this way; on such a network, like this one,
# the two are the same up to a constant (@sec-gradcam shows it in numbers). Grad-CAM
# [@selvaraju2017] works with any differentiable ending and at any layer.
# :::
#
# ::: {.callout-note title="Why this detector?" collapse="true"}
# Each of its steps can be defended with one sentence and measured alone. The map says
# where, the probability how sure; a relative threshold makes maps of confident and of
# hesitant images comparable; the mass of a component ranks crumbs last. One threshold
# for the whole set, from training images: the best threshold of *each image* would need
# its truth, and would flatter the result.
# :::
#
# ::: {.callout-note title="What are recall and average precision?" collapse="true"}
# See above; in one example: three objects, boxes in order of score right, wrong, right.
# Precision after each: 1, 1/2, 2/3; recall: 1/3, 1/3, 2/3. The area with the best
# precision at or beyond each recall: 1/3 of 1, 1/3 of 2/3, the rest 0: 0.556. The cell
# below does not take our word for it.
# :::

# %%
#| echo: false
boxes = np.array([[0, 0, 9, 9], [50, 50, 59, 59], [20, 20, 29, 29]], float)
example = np.column_stack([boxes, [0.9, 0.8, 0.7]])
objects = np.array([[0, 0, 9, 9], [20, 20, 29, 29], [80, 80, 89, 89]], float)
checked = evaluate({"x": example}, {"x": objects}, [0.5], "course")[0.5]
Markdown(f"*Checked: AP {checked['ap']:.1f} %, recall {checked['recall']:.1f} %.*")

# %% [markdown]
# ::: {.callout-note title="How would you improve it?" collapse="true"}
# By the order of the losses: first extent (scales, layers, masks), then false images
# (a better classifier, trained longer and on larger images), then merged animals
# (several components or proposals).
# :::
#
# ## Exercises
#
# 1. Run the chapter with `SET="class_name=cat"`, or for another class that
#    @tbl-classification lists. Which class has the largest gap between its
#    classification and its detection?
# 2. Replace Grad-CAM by LayerCAM. Does the threshold stay the same?
# 3. Let one head do both: `SET="map_penalty=0.1"`. What happens to the boxes?
# 4. Let each image keep one box. What happens to recall, and what to precision?
#
# ::: {.callout-tip title="Solutions" collapse="true"}
# 1. Classes that fill the picture lose little, small and thin ones much; people are
#    found by their faces, and their boxes are whole persons.
# 2. `from wslib.cam import LayerCAM` and `cam = LayerCAM(...)`; the maps have another
#    distribution, so the sweep has to be done again, and it is: on training images.
# 3. They shrink towards the parts that tell the class best, and the sweep answers with
#    a lower threshold, which does not make up for it.
# 4. `SET="max_boxes=1"`: recall can only fall. Precision at the end of the list rises;
#    average precision loses, because further boxes have low scores and come last.
# :::
