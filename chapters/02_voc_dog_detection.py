# %% [markdown]
# # Dogs from image labels {#sec-dogs}
#
# Somebody has looked at a few hundred photographs and noted for each which things are
# on it: *dog, person, sofa*. Nobody has drawn a box. Can a network that learnt from
# these labels alone say **where** the dogs are?
#
# You will learn
#
# - to turn a frozen backbone into a classifier, and its Grad-CAM maps into boxes;
# - to let what the maps are sure of teach what they are not sure of;
# - to climb step by step, keeping only what gains on images set aside for that;
# - what precision, recall and average precision count, and what a few dozen dogs can
#   and cannot tell;
# - to take errors apart: which kinds there are, and what each of them costs.
#
# **Data and time.** With the profiles `smoke` and `sample` the pictures are *rendered*
# by this project, in the layout of VOC2007, and need no network; the profile `full`
# takes the photographs of VOC2007 [@everingham2010]. At `sample` the chapter takes
# two to three minutes on two processor cores, drawing the pictures included.

# %% tags=["parameters"]
from typing import Literal

dataset: Literal["rendered", "voc2007"] = "rendered"  # drawn here, or photographs
rendered: dict[str, int] = {"train": 300, "val": 100, "test": 240}  # how many
train_split: str = "trainval"  # everything is learnt and chosen on these
eval_split: str = "test"  # everything is measured on these, once
eval_limit: int | None = None  # only the first so many of them
class_name: str = "dog"  # what is to be found
backbone: str = "efficientnet_lite0"  # or resnet18, resnet50 (they need the network)
input_size: int = 448  # pixels; images are resized to a square of this side
fine_tune_epochs: int = 0  # of the whole network; 0 fits the heads alone
penalties: dict[str, float] = {
    "image": 0.1, "cam": 1.0, "posterior": 0.1, "place": 0.1,
}  # on the squared weights of each head  # fmt: skip
folds: int = 5  # for evidence on training images that was not learnt from them
thresholds: list[float] = [
    0.06, 0.08, 0.1, 0.12, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5,
]  # of the heat map, from which each step chooses  # fmt: skip
max_boxes: int = 3  # an image, best first, where several are tried
area_power: float = 0.2  # of the box's share of the image, where that is tried
second: float = 0.1  # the weight of second guesses, where they are tried
iou_thresholds: list[float] = [0.3, 0.4, 0.5]  # up to three, for AP and recall
protocol: Literal["course", "voc07", "voc10"] = "course"  # how AP is computed
bootstrap_samples: int = 1000  # for the intervals
batch_size: int = 8  # images at a time through the network
seed: int = 0  # of the pictures, the folds, the places and the bootstrap
device: str = "auto"  # cpu, cuda, or the better one that is there

# %% [markdown]
# ## The pictures
#
# VOC2007 has twenty classes. Each photograph comes with boxes, but the classifier will
# only be told *which* classes an image holds; the boxes are kept for the examination.

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from wslib.boxes.boxes import centre_box, from_voc
from wslib.boxes.evidence import extract_features, gather_evidence
from wslib.boxes.fitting import cross_fit, fit_heads
from wslib.boxes.maps import sweep
from wslib.boxes.recipe import Recipe, best_threshold, select_steps, sweep_thresholds
from wslib.data.datasets import learn_and_examine, open_voc2007
from wslib.data.images import resize_image
from wslib.data.voc import CLASSES
from wslib.metrics.bootstrap import compare_detectors, paired_difference
from wslib.metrics.classification import mean_average_precision
from wslib.metrics.detection import evaluate, precision_recall
from wslib.metrics.errors import error_budget, fates, object_fates, oracle_ladder
from wslib.metrics.localisation import corloc, max_box_acc, pointing_game, pxap
from wslib.models.classifiers import build_classifier
from wslib.models.dense import DenseClassifier
from wslib.models.heads import replace_head
from wslib.runtime.device import pick_device
from wslib.show import figures
from wslib.show.recorded import read_recorded, verdicts
from wslib.show.tables import Table
from wslib.training.fit import fine_tune

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
def count_objects(split, ids):
    objects = np.concatenate(list(voc.ground_truth(ids, class_name).values()))
    images = sum(len(boxes) > 0 for boxes in voc.ground_truth(ids, class_name).values())
    return {
        "split": split,
        "images": len(ids),
        f"with a {class_name}": images,
        f"{class_name} objects": len(objects),
        "of them difficult": int(objects[:, 4].sum()),
    }


rows = [count_objects(train_split, train_ids), count_objects(eval_split, eval_ids)]
Table(pd.DataFrame(rows), "voc-data", note=f"Data: {source}.")

# %% [markdown]
# ## One backbone, four heads
#
# The backbone is a network trained on ImageNet [@tan2019; @deng2009], and stays as it
# is. Its last stage halves the resolution once more than we like; taking that stride
# out and spreading the kernels behind it [@yu2016] leaves what each place sees as it
# was, and gives four times as many places. All that is learnt here are linear layers,
# *heads*. The first two stand behind the mean over all places of the last feature map
# $A$, with its channels $A_k$:
#
# $$ y_c = b_c + \sum_k W_{ck}\; \frac{1}{hw} \sum_{i,j} A_{k,ij} $$ {#eq-head}
#
# An image may hold several classes, so each logit $y_c$ goes through a sigmoid of its
# own, and the loss is the binary cross-entropy. As the means of $A_k$ never change,
# they are computed once, for each image and its mirror image. What remains is logistic
# regression, a convex problem that is solved in seconds, with a penalty on the squared
# weights. The penalty matters beyond accuracy: a head that may not put large weights on
# few features has to use *more* features, and more features cover more of the object.
# So one head with a small penalty *tells* the classes, and one with a large penalty
# *shows* where they are, by Grad-CAM.
#
# The third head stands on another layer. ImageNet's own head, applied at each place,
# says how much that place looks like each of 1000 kinds of things; a softmax makes
# these compete, so that a place of grass is *grass* and not a little of every dog.
# Behind the mean of these posteriors $q$ a head learns which of them speak for a class,
# and its Grad-CAM with $q$ as the layer is our second kind of map.
#
# ### What the maps are sure of
#
# The fourth head looks at places, and places have no labels. But the maps have
# opinions: where one reaches 30 % of its maximum the class is probably there, and
# where those of all classes in the image stay below 10 % is probably background. Such
# *seeds* [@kolesnikov2016] teach a softmax regression on features of every place. It
# sees thousands of places from all images at once, and learns what the places of a
# class have in common, and with no other: the flank of the dog, which no single map
# dared to mark, looks like that of dogs whose flank was marked.
#
# We look at each training image once; all four heads are fitted to what that leaves.

# %%
train_paths = [voc.image_path(i) for i in train_ids]
train_labels = voc.labels(train_ids)  # (N, 20) in 1, 0, -1: difficult ones only
classifier = build_classifier(backbone).to(device)
imagenet_head = classifier.head
if fine_tune_epochs:
    training = (classifier, train_paths, torch.from_numpy(train_labels), input_size)
    replace_head(*training, [penalties.get("image", 0.1)], batch_size)
    fine_tune(*training, fine_tune_epochs, batch_size=batch_size, seed=seed)
network = DenseClassifier(classifier, len(CLASSES), imagenet_head).to(device)
features = extract_features(network, train_paths, input_size, batch_size)

# %% [markdown]
# Everything that has to be chosen, a threshold or a step of the detector, is chosen on
# training images, by heads that have not learnt from them: the images are dealt into
# folds, and each fold is looked at by heads that were fitted to the others. Then the
# heads are fitted to all of them.

# %%
options = {"penalties": penalties, "seed": seed}
aside = cross_fit(network, train_ids, features, train_labels, folds, **options)
fit_heads(network, features, train_labels, **options)

# %% [markdown]
# @fig-maps shows what the heads make of training images that were set aside.

# %%
#| label: fig-maps
#| fig-cap: "Four maps of the same training images, by heads that have not seen them:
#|   Grad-CAM, the posteriors' map, that of the places, and the combined map, the
#|   geometric mean of the last two."
train_truth = voc.ground_truth(train_ids, class_name)
sure = np.argsort(-aside.probabilities()[:, target], kind="stable")
rows = [k for k in sure if len(train_truth[train_ids[k]]) == 1][:9:3]
kinds = {kind: aside.class_maps(target, kind) for kind in ("gradcam", "posterior")}
kinds["combined"] = aside.class_maps(target)
grid, titles, heatmaps = [], [], []
for k in rows:
    places = aside.places[k, target].astype(np.float32)
    grid += [voc.image(train_ids[k])] * 5
    titles += ["image", "Grad-CAM", "posterior", "places", "combined"]
    gradcam, posterior, combined = (maps.heatmap(k) for maps in kinds.values())
    heatmaps += [
        None,
        gradcam,
        posterior,
        resize_image(places, *grid[-1].shape[1::-1]),
        combined,
    ]
fig, axes = figures.image_grid(grid, titles, 5, heatmaps=heatmaps)
figures.Picture(fig, "voc-maps")

# %% [markdown]
# Now the images that were not trained on: **one** pass over them, image and mirror
# image, gives the probability of each class and the maps of all classes. Everything
# below is made from what this pass leaves in memory; the network does not run again.
#
# A place that is sure of a class is evidence that the mean over all places dilutes: the
# probability is the sigmoid of the logit plus half the logit of the surest place. For
# each class, rank the images by it and take the average precision of that list
# (@tbl-classification); how that is computed comes further below. A class that is
# absent from the split has none.

# %%
eval_paths = [voc.image_path(i) for i in eval_ids]
evidence = gather_evidence(network, eval_ids, eval_paths, input_size, batch_size)
probability = evidence.probabilities()  # (N, 20)

# %%
#| label: tbl-classification
#| tbl-cap: "Classification: average precision of each class on the evaluation split,
#|   without and with the surest place. A list in random order scores about the share
#|   of images with the class."
eval_labels = voc.labels(eval_ids)  # (N, 20)
mean_alone, alone_ap = mean_average_precision(evidence.logits, eval_labels)
mean_ap, class_ap = mean_average_precision(probability, eval_labels)
frame = pd.DataFrame(
    {
        "class": CLASSES,
        "images": (eval_labels == 1).sum(0),
        "share": 100 * (eval_labels == 1).mean(0),
        "AP, mean of places": 100 * alone_ap,
        "AP": 100 * class_ap,
    }
)
frame = frame[frame["images"] > 0].sort_values("AP", ascending=False)
Table(
    frame.reset_index(drop=True),
    "voc-classification",
    formats={"share": ".1f", "AP": ".1f", "AP, mean of places": ".1f"},
    units={"share": "%", "AP": "%", "AP, mean of places": "%"},
    note=f"Data: {source}.",
)

# %%
#| echo: false
Markdown(
    f"The mean over the classes, **mAP**, is **{100 * mean_ap:.1f} %** (without the "
    f"surest place {100 * mean_alone:.1f} %); the {class_name} has "
    f"{100 * class_ap[target]:.1f} %."
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


scores = probability[:, target]
detections = {
    "A": {i: amid(i, 1.0) for i in eval_ids},
    "B": {i: amid(i, 1.0) for i in with_dog},
    "C": {i: amid(i, score) for i, score in zip(eval_ids, scores, strict=True)},
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
# That is why one pass gives the maps of all twenty classes: the head itself, applied at
# each place. The detector is four steps: resize the sum to the image and cut it at 0;
# keep the pixels with $M \ge t \cdot \max M$; find the connected components; draw the
# tight box around each (@fig-steps). With the probability $p$ of the class and the
# component's share $m$ of the map, relative to the heaviest one's, it scores
# $s = p \cdot m$.

# %%
#| label: fig-steps
#| fig-cap: "The four steps on one training image that was set aside. A low threshold
#|   lets the box grow, and beyond some point into the background."
image, heatmap = voc.image(train_ids[rows[0]]), kinds["combined"].heatmap(rows[0])
levels = (0.6, 0.3, 0.1)
fig, axes = figures.image_grid(
    [image] * (2 + len(levels)),
    ["image", "map", *(f"t = {level}" for level in levels)],
    columns=5,
    heatmaps=[None, heatmap, *(heatmap * (heatmap >= level) for level in levels)],
)
one = aside.take(rows[:1])
for axis, level in zip(axes[2:], levels, strict=True):
    boxes = Recipe("combined", threshold=level).detect(one, target)[one.ids[0]]
    figures.draw_boxes(
        axis, true=from_voc(train_truth[one.ids[0]]), found=from_voc(boxes)
    )
figures.Picture(fig, "voc-steps")

# %% [markdown]
# ## One step at a time
#
# Everything is tried on the training images that were set aside, one change at a time,
# each with the threshold that suits it best. A change is *kept* if it gains in at least
# nine of ten bootstrap samples of the images, drawn the same for both sides; what is
# not kept is left out of what follows (@tbl-steps).
#
# 1. One box around the heaviest component of the Grad-CAM map.
# 2. Further boxes, with lower scores, for further animals.
# 3. The Grad-CAM map of the posteriors instead of that of the features.
# 4. Its geometric mean with what the places say.
# 5. A mask by GrabCut [@rother2004], which the map seeds, and the boxes of the mask.
# 6. A small power $\gamma$ of the box's share $a$ of the image in the score, now
#    $s = p \cdot m \cdot a^\gamma$: a small box is more often a part.
# 7. Second guesses: the boxes at half and at twice the threshold, with a tenth of their
#    weight. No threshold suits all maps; a higher one parts neighbours, a lower one
#    reaches the tail. Late in the list they cost little precision.

# %%
#| label: tbl-steps
#| tbl-cap: "The climb, on training images that were set aside: average precision at
#|   each IoU, and the gain in their mean over the last step that was kept."
steps = {
    "Grad-CAM, one box": {"kind": "gradcam"},
    "several boxes": {"max_boxes": max_boxes},
    "posterior's map": {"kind": "posterior"},
    "with the places": {"kind": "combined"},
    "masks by GrabCut": {"masks": True},
    "area in the score": {"area_power": area_power},
    "second guesses": {"second": second},
}
measured = (train_truth, thresholds, iou_thresholds, protocol)
drawn = {"n": bootstrap_samples, "seed": seed}
recipe, climbed = select_steps(steps, aside, target, *measured, read=voc.image, **drawn)
Table(
    climbed,
    "voc-steps",
    formats=".1f",
    intervals={"gain": ("gain low", "gain high")},
    note=f"In percent. Data: {source}, {folds} folds. t: of the map.",
)

# %%
#| echo: false
Markdown(f"What is kept is this detector: *{recipe}*.")

# %% [markdown]
# ### One threshold
#
# Most depends on the threshold $t$. Choosing it on the images that it is measured on
# would be choosing the result, and choosing it for each image would need the truth.
# @fig-sweep shows what it was chosen from: images set aside that hold the class.

# %%
#| label: fig-sweep
#| fig-cap: "Average precision on training images with the class against the threshold,
#|   at each IoU. The dotted line marks the threshold with the best mean of the curves."
boxed = replace(recipe, masks=False)
swept = sweep_thresholds(boxed, boxed.maps(aside, target), *measured)
fig, axes = figures.new_figure(width=4.2, height=2.4)
series = {f"IoU {iou}": (swept.index, swept[iou]) for iou in swept}
figures.draw_lines(axes[0, 0], series, "threshold t", "AP (%)", marker="o")
axes[0, 0].axvline(recipe.threshold, color=figures.GREY, linestyle=":")
figures.Picture(fig, "voc-sweep", vector=True)

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
# **Average precision** is the area below precision as a function of recall, but not
# quite: a list whose first box is wrong and whose next three are right gets *better* as
# it goes on, and is not to be punished for its beginning twice. So at each recall the
# best precision that is reached there or later counts, the *envelope*. The all-point
# rule of VOC2010 takes the area below it; the eleven-point rule of VOC2007 its mean at
# recall 0, 0.1, ..., 1. Average precision rewards a list whose beginning is right, and
# needs no cut-off. The last recall says how many objects are found at all. (The AP of
# the classification above has no envelope; that is the custom there.)
#
# By hand, for four dogs and that list:

# %%
#| code-fold: false
right = np.array([False, True, True, True])  # is each box right? best score first
precision = np.cumsum(right) / np.arange(1, 5)  # 0, 1/2, 2/3, 3/4
recall = np.cumsum(right) / 4  # 0, 1/4, 2/4, 3/4
envelope = np.maximum.accumulate(precision[::-1])[::-1]  # the best from here on
all_point = np.sum(np.diff(recall, prepend=0) * envelope)
eleven = [max(precision[recall >= k / 10], default=0) for k in range(11)]
without = np.sum(np.diff(recall, prepend=0) * precision)

# %% [markdown]
# @tbl-example has the same list, counted by the code that measures the detector.

# %%
#| label: tbl-example
#| tbl-cap: "The example, counted by the same code that measures the detector."
dogs = np.array([[20 * k, 0, 20 * k + 9, 9] for k in range(4)], float)
finds = np.maximum(np.cumsum(right) - 1, 0)  # the dog that a right box finds
corners = dogs[finds] + np.where(right, 0, 50)[:, None] * [0, 1, 0, 1]
boxes = {"x": np.column_stack([corners, np.linspace(0.95, 0.65, 4)])}
example = precision_recall(boxes, {"x": dogs}, 0.5, "course")
example.insert(0, "right", right)
Table(example, "voc-example", formats={"score": ".2f"}, save=False)

# %%
#| echo: false
by_hand = {"voc10": all_point, "voc07": np.mean(eleven)}
points = {p: evaluate(boxes, {"x": dogs}, [0.5], p)[0.5]["ap"] for p in by_hand}
agree = all(np.isclose(points[p], 100 * by_hand[p]) for p in points)
Markdown(
    f"All-point AP is **{points['voc10']:.2f} %** and eleven-point AP "
    f"**{points['voc07']:.2f} %** by the code, {100 * all_point:.2f} % and "
    f"{100 * np.mean(eleven):.2f} % by hand: they "
    f"{'agree' if agree else '**do not agree**'}. Without the envelope it would be "
    f"{100 * without:.2f} %."
)

# %% [markdown]
# The small print moves the number by several points: eleven sample points or all,
# difficult objects counted or passed over, one pixel more or less, ties. @tbl-detection
# names its protocol. With a few dozen objects, each of them is worth a percent or two:
# the brackets hold 95 % intervals from drawing the images again and again with
# replacement [@efron1993].

# %%
#| label: tbl-detection
#| tbl-cap: "Boxes from image labels: average precision and recall. Grad-CAM is the
#|   first step of the climb, alone; Grad-CAM + makes the chain's boxes of the same map;
#|   the chain is all that was kept. All must beat C, which has the same classifier."
alone = Recipe("gradcam", threshold=float(climbed["threshold"].iloc[0]))
detections["Grad-CAM"] = alone.detect(evidence, target)
plain = replace(boxed, kind="gradcam")
plain = replace(
    plain, threshold=best_threshold(plain, plain.maps(aside, target), *measured)
)
detections["Grad-CAM +"] = plain.detect(evidence, target)
detections["chain"] = chain = recipe.detect(evidence, target, voc.image)
truth = voc.ground_truth(eval_ids, class_name)
examined = {"iou_thresholds": iou_thresholds, "protocol": protocol, "images": eval_ids}
compared = compare_detectors(detections, truth, **examined, **drawn)
columns = [f"AP {iou}" for iou in iou_thresholds]
bounds = [f"recall {iou} {end}" for iou in iou_thresholds for end in ("low", "high")]
detected = Table(
    compared.drop(columns=bounds),  # too wide for the page with them
    "voc-detection",
    formats=".1f",
    best=dict.fromkeys(columns, "max"),
    intervals={name: (f"{name} low", f"{name} high") for name in columns},
    note=f"In percent. Data: {source}. A: centre box; B: A where there is a "
    f"{class_name}; C: A with the classifier's score.",
)
detected

# %% [markdown]
# The intervals of two detectors may overlap although one is clearly better: both are
# measured on the same images, and an image that is hard for one is hard for the other.
# The *difference* on the same drawn images says more (@tbl-gains).

# %%
#| label: tbl-gains
#| tbl-cap: "Differences in average precision, measured on the same drawn images, with
#|   95 % intervals. Where the interval holds 0, these images cannot tell."
gains = []
for name, other in (("chain", "C"), ("chain", "Grad-CAM +"), ("Grad-CAM", "C")):
    pair = (detections[name], detections[other], truth)
    gain = paired_difference(*pair, **examined, **drawn)
    gain.insert(0, "difference", f"{name} minus {other}")
    gains.append(gain[gain["metric"] == "ap"].drop(columns="metric"))
Table(
    pd.concat(gains, ignore_index=True).rename(columns={"value": "AP"}),
    "voc-gains",
    formats={"AP": "+.1f", "iou": ".1f"},
    intervals={"AP": ("low", "high")},
    note=f"In percentage points. Data: {source}.",
)

# %% [markdown]
# @fig-pr shows where the area comes from. A curve that starts at 1 means that the
# highest scores are right. Where it ends, the boxes end: the rest was not found, at
# that IoU, with any score.

# %%
#| label: fig-pr
#| fig-cap: "Precision against recall, at the lowest and the highest IoU. All rest on
#|   the same classifier: what lies between the curves is what the maps add."
ends = (iou_thresholds[0], iou_thresholds[-1])
fig, axes = figures.new_figure(1, 2, height=2.5, sharey=True)
for axis, iou in zip(axes.flat, ends, strict=True):
    curves = {
        name: precision_recall(detections[name], truth, iou, protocol)
        for name in ("chain", "Grad-CAM", "C")
    }
    series = {name: (c["recall"], c["precision"]) for name, c in curves.items()}
    figures.draw_lines(axis, series, "recall", "precision")
    axis.set(title=f"IoU {iou}", xlim=(0, 1), ylim=(0, 1.05))
figures.Picture(fig, "voc-precision-recall", vector=True)

# %% [markdown]
# ### Maps without the classifier
#
# AP mixes two questions: which images hold a dog, and where. Weakly supervised
# localisation asks the second alone, on the images that do (@tbl-localisation).
# **CorLoc**: is the first box right, at IoU 0.5 [@deselaers2012]? **Pointing game**:
# does the map's peak lie on the object, give or take 15 pixels [@zhang2018]?
# **MaxBoxAccV2**: is any box at one threshold right, at the threshold that is best for
# these very images, averaged over IoU 0.3, 0.5 and 0.7 [@choe2023]? **PxAP**: the
# average precision of all pixels, where somebody has segmented the images.

# %%
#| label: tbl-localisation
#| tbl-cap: "Localisation on the evaluation images that hold the class, in percent. The
#|   centre of the image is the baseline of the pointing game, box C that of CorLoc."
inside = [k for k, i in enumerate(eval_ids) if len(truth[i])]
masks = [voc.class_mask(eval_ids[k], class_name) for k in inside]
levels = np.linspace(0.05, 0.95, 19)


def localised(kind):
    maps = evidence.take(inside).class_maps(target, kind)
    there = [n for n in range(len(inside)) if masks[n] is not None]
    heat = [maps.heatmap(n) for n in there]
    known, void = zip(*(masks[n] for n in there), strict=True) if there else ((), ())
    tried = sweep(maps, levels, max_boxes=100)
    return {
        "pointing game": 100 * pointing_game(maps.peaks(), truth).value,
        "MaxBoxAccV2": max_box_acc(tried, truth)[0],
        "PxAP": 100 * pxap(heat, known, void) if there else np.nan,
    }


rows = {
    "gradcam": "Grad-CAM",
    "posterior": "posterior's map",
    "combined": "with the places",
}
frame = pd.DataFrame([{"map": rows[kind], **localised(kind)} for kind in rows])
Table(frame, "voc-localisation", formats=".1f", note=f"Data: {source}.")

# %%
#| echo: false
centres = {
    i: [s / 2 for s in image_size]
    for i, image_size in zip(eval_ids, evidence.sizes, strict=True)
}
first = {name: corloc(detections[name], truth) for name in ("C", "Grad-CAM", "chain")}
differences = ", ".join(
    f"{name} **{100 * s.value:.1f} %** ({100 * s.low:.0f} to {100 * s.high:.0f})"
    for name, s in first.items()
)
Markdown(
    f"CorLoc: {differences}. The centre of the image wins the pointing game in "
    f"{100 * pointing_game(centres, truth).value:.1f} % of them."
)

# %% [markdown]
# ## The other classes
#
# Nothing in the detector knows dogs. @tbl-classes runs it on every class, with the
# steps that dogs have chosen and for each class the threshold that its own training
# images choose.

# %%
#| label: tbl-classes
#| tbl-cap: "The same detector for every class: average precision at each IoU, and of
#|   the classification, on the evaluation split. Few objects make wide intervals."
rows = []
for k, name in enumerate(CLASSES):
    learnt, asked = (voc.ground_truth(ids, name) for ids in (train_ids, eval_ids))
    if not all(any(map(len, known.values())) for known in (learnt, asked)):
        continue
    own = best_threshold(boxed, boxed.maps(aside, k), learnt, *measured[1:])
    own_boxes = replace(boxed, threshold=own).detect(evidence, k)
    ap = evaluate(own_boxes, asked, iou_thresholds, protocol).loc["ap"]
    row = {"class": name, "objects": sum(map(len, asked.values())), "t": own}
    rows.append(
        row | {"images": 100 * class_ap[k], **{f"AP {t}": ap[t] for t in ap.index}}
    )
frame = pd.DataFrame(rows)
mean = {"class": "mean", **frame.drop(columns=["class", "objects", "t"]).mean()}
Table(
    pd.concat([frame, pd.DataFrame([mean])], ignore_index=True),
    "voc-classes",
    formats={**dict.fromkeys(["images", *columns], ".1f"), "objects": "d"},
    note=f"In percent; images: AP of the classification. Protocol: {protocol}. "
    f"Data: {source}.",
)

# %% [markdown]
# ## Errors taken apart
#
# Every detection and every object has one fate (@tbl-errors), after @hoiem2012 and
# @bolya2020, with a kind of error that weak supervision is known for: one box around
# several animals. The last column is what average precision would gain if that kind
# were mended, and nothing else.

# %%
#| label: tbl-errors
#| tbl-cap: "The error budget at the highest IoU. Merged: a box that holds at least half
#|   of several objects. Wrong extent: at the right place, of the wrong size. Missed: no
#|   box came near. Background: a box elsewhere on an image with the class."
budget = error_budget(chain, truth, iou_thresholds[-1], protocol)
Table(
    budget.rename(columns={"ap_lost": "AP to gain"}),
    "voc-errors",
    formats={"AP to gain": ".1f"},
    note=f"AP to gain in percentage points. IoU {iou_thresholds[-1]}. Data: {source}.",
)

# %% [markdown]
# And from the other side: what would the same maps reach if somebody whispered which
# images hold the class, which threshold suits each map best, or how far each object
# reaches (@tbl-oracles)? The step from the first row says where the rest lies.

# %%
#| label: tbl-oracles
#| tbl-cap: "The oracle ladder: average precision of the detector when it is told a part
#|   of the truth. None of these is a result; each is a bound."
boxes_at = sweep(recipe.maps(evidence, target), thresholds, *recipe.boxes)
oracles = oracle_ladder(chain, truth, boxes_at, iou_thresholds, protocol)
Table(
    oracles.rename(columns={"rung": "told"}),
    "voc-oracles",
    formats=".1f",
    note=f"In percent. Data: {source}.",
)

# %% [markdown]
# ## Looking at the boxes
#
# Numbers hide what a glance shows. In the pictures below each title gives the
# probability of the class and the IoU of the best box, true boxes are dashed, found
# ones orange, and those that are wrong at the highest IoU vermilion. Boxes with less
# than a quarter of the score of their image's first one are left out.

# %%
maps = recipe.maps(evidence, target)
judged = fates(chain, truth, iou_thresholds[-1], protocol)
best_iou = judged.groupby("image")["iou"].max()
leading = judged["score"] >= judged.groupby("image")["score"].transform("max") / 4


def mark(axis, i):
    fate = judged[leading & (judged["image"] == i)].set_index("row")["fate"]
    kinds = {"found": fate.index[fate == "right"], "wrong": fate.index[fate != "right"]}
    boxes = {kind: from_voc(chain[i][rows]) for kind, rows in kinds.items()}
    figures.draw_boxes(axis, true=from_voc(truth[i]), **boxes)


def headline(i, note=""):
    score = f"{maps.scores[eval_ids.index(i)]:.2f}, IoU {best_iou.get(i, 0):.2f}"
    return f"{note}\n{score}" if note else score


def gallery(ids, name, notes=()):
    titles = list(map(headline, ids, notes or [""] * len(ids)))
    heatmaps = [maps.heatmap(eval_ids.index(i)) for i in ids]
    pictures = [voc.image(i) for i in ids]
    width = figures.WIDE * min(len(ids), 5) / 5
    fig, axes = figures.image_grid(pictures, titles, 5, width, heatmaps)
    for axis, i in zip(axes, ids, strict=True):
        mark(axis, i)
    return figures.Picture(fig, name)


# %% [markdown]
# First, ten images drawn at random from those with the class (@fig-random): neither the
# best nor the worst, but what to expect.

# %%
#| label: fig-random
#| fig-cap: "Ten images drawn at random from those that hold the class, or all where
#|   there are fewer."
generator = np.random.default_rng(seed)
ten = generator.choice(with_dog, min(10, len(with_dog)), replace=False)
gallery([str(i) for i in ten], "voc-random")

# %% [markdown]
# The best (@fig-best), and then an image or two of each kind of error
# (@fig-error-kinds).

# %%
#| label: fig-best
#| fig-cap: "The best boxes. Where the animal is alone and seen whole, the map covers
#|   most of it."
ranked = sorted(with_dog, key=lambda i: -best_iou.get(i, 0))
gallery(ranked[:5], "voc-best")

# %%
#| label: fig-error-kinds
#| fig-cap: "Confident examples of each kind of error, as far as there are any."
lost = object_fates(chain, truth, iou_thresholds[-1], protocol)
wrong = pd.concat([judged[leading], lost[lost["fate"] == "missed"]])
wrong = wrong[~wrong["fate"].isin(["right", "ignored"])].drop_duplicates(
    ["image", "fate"]
)
examples = wrong.groupby("fate", sort=False).head(2)[:10]
notes = examples["fate"].tolist() or ["no error"]
gallery(examples["image"].tolist() or with_dog[:1], "voc-error-kinds", notes)

# %% [markdown]
# ## On photographs
#
# A detector is worth what it finds on photographs. @tbl-photographs is @tbl-detection
# of a run of this chapter that was kept, on photographs of VOC2007 on which nothing was
# chosen.

# %%
#| label: tbl-photographs
#| tbl-cap: "The same detectors on photographs, in a recorded run."
photographs = read_recorded("02_unseen")
there = photographs.frame("voc-detection")
Table(
    there,
    "voc-photographs",
    formats=".1f",
    intervals={c: (f"{c} low", f"{c} high") for c in there if f"{c} low" in there},
    note=f"In percent. {photographs.source()}",
    save=False,
)

# %% [markdown]
# ## What we saw
#
# A frozen backbone and four linear heads turn image labels into boxes. Boxes of
# training images chose the threshold and the steps, and nothing else. What else this
# run shows is compared with @tbl-photographs:

# %%
#| echo: false
top = f"AP {iou_thresholds[-1]}"


def beats(name, other):
    return lambda table: table.loc[name, top] > table.loc[other, top]


claims = {
    "The map adds to the classifier: Grad-CAM beats C": beats("Grad-CAM", "C"),
    "Several boxes of the same map beat one": beats("Grad-CAM +", "Grad-CAM"),
    "The other steps add to that: the chain beats Grad-CAM +": beats(
        "chain", "Grad-CAM +"
    ),
}
Markdown(verdicts(claims, detected.frame.set_index("detector"), there))

# %% [markdown]
# Which steps are worth taking depends on the data. On photographs the places, which
# learn from what the maps of all images are sure of, gain most (@tbl-photograph-steps).

# %%
#| label: tbl-photograph-steps
#| tbl-cap: "The climb on photographs, recorded: average precision over five folds of
#|   the training images, and the gain of each step over what was kept before it, in
#|   points."
steps_there = photographs.frame("voc-steps").drop(columns=["threshold", "kept"])
Table(
    steps_there,
    "voc-photograph-steps",
    formats=".1f",
    intervals={"gain": ("gain low", "gain high")},
    note=f"In percent. {photographs.source()}",
    save=False,
)

# %%
#| echo: false
dropped = climbed.loc[~climbed["kept"], "step"].tolist()
most = climbed[climbed["kept"]].nlargest(1, "gain").iloc[0]
counts = budget.set_index("kind")["objects"]
Markdown(
    f"- Here the largest gain that was kept is that of *{most['step']}*, "
    f"{most['gain']:+.1f} points. Not kept: {', '.join(dropped) or 'nothing'}.\n"
    f"- Of {int(counts.sum())} objects, {counts['right']} are found at IoU "
    f"{iou_thresholds[-1]}; {counts['wrong extent']} have a box of the wrong extent, "
    f"{counts['merged']} share one with others and {counts['missed']} are missed."
)

# %% [markdown]
# - Baseline A is one tie: every box has the score 1. In the protocol `course` such
#   boxes count in the order of the list, so that shuffling the images moves its AP.
#
# ## What failed, and what would improve it
#
# GrabCut follows the strongest edge of colour, and that is often the border of a white
# patch, a collar or a sofa rather than of the dog. Several animals side by side are one
# component of the map, which has no notion of *one* dog; small and far ones are a place
# or two of a grid of 28 by 28. The oracle of the extent says what is to be had there:
# a segmenter that the map prompts (@tbl-oracles bounds it), and proposals that part
# neighbours.
#
# ## The course's questions
#
# ::: {.callout-note title="How does Grad-CAM differ from CAM?" collapse="true"}
# It weighs each channel of a feature map by the mean gradient of the class's logit and
# sums. CAM [@zhou2016] takes the weights of the linear layer behind a global average
# instead, and so needs a network that ends this way; on such a network, like this one,
# the two are the same up to a constant (@sec-gradcam shows it in numbers). Grad-CAM
# [@selvaraju2017] works with any differentiable ending and at any layer; the second map
# of this chapter uses that freedom, and looks from the posteriors.
# :::
#
# ::: {.callout-note title="Why this detector?" collapse="true"}
# Each of its steps can be defended with one sentence and is measured alone in
# @tbl-steps. The map says where, the probability how sure; a relative threshold makes
# maps of confident and of hesitant images comparable; the mass of a component ranks
# crumbs last; the places have seen all images, and a map only one. One threshold for
# the whole set, from training images: the best threshold of *each image* would need its
# truth, and would flatter the result (@tbl-oracles says by how much).
# :::
#
# ::: {.callout-note title="What are recall and average precision?" collapse="true"}
# See the worked example of @tbl-example. Recall is the share of the objects that were
# found, precision the share of the boxes that are right, and average precision the area
# below the envelope of precision as a function of recall.
# :::
#
# ::: {.callout-note title="How would you improve it?" collapse="true"}
# In the order of the losses, which @tbl-errors and @tbl-oracles measure: extent and
# merged animals before false images, and these before duplicates. See above.
# :::
#
# ## Exercises
#
# 1. Run the chapter with `SET="class_name=cat"`, or for another class that
#    @tbl-classes lists. Are the same steps kept?
# 2. Let one penalty do for both heads: `SET="penalties={cam: 0.1}"`. What happens to
#    the first row of @tbl-steps?
# 3. Set `input_size=224`. Which error grows most?
# 4. Look at the results with other thresholds or protocols, without running the network
#    again: `wslib voc detect`, then `wslib voc score` with other options.
#
# ::: {.callout-tip title="Solutions" collapse="true"}
# 1. Classes that fill the picture lose little, small and thin ones much; people are
#    found by their faces, and their boxes are whole persons.
# 2. The boxes of plain Grad-CAM shrink towards the parts that tell the class best, and
#    a lower threshold does not make up for it.
# 3. Missed objects: a map of 14 by 14 places has no place for a small dog.
# 4. `--iou 0.2 --iou 0.7` shows how fast precision falls with what counts as right, and
#    `--protocol voc10` what passing over difficult objects is worth.
# :::
