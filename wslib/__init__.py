"""Weakly supervised localisation: from image labels to boxes and masks.

Thirteen rooms, in the order in which data flow; each imports only from those above it.
Five are the ground, five are ideas, one a chapter; then what shows, binds and calls.

    runtime     where and on what it runs: device, memory, progress, project folders
    metrics     predictions and truth to numbers
    data        files to images, labels, boxes and masks
    models      images to logits, feature maps and masks
    training    loops, losses, runs that are kept and resumed, trackers
    cam         idea 1: where a classifier looks
    boxes       idea 2: heat maps to scored boxes
    weak        idea 3: boxes chosen, not drawn: proposals, localizers, WSDDN
    prompting   idea 4: heat maps to points, points to masks
    practical   idea 5: a class and a box for each picture
    show        numbers to tables, arrays to figures
    workbook    chapters to notebooks to the report
    cli         the command line
"""

from wslib.runtime import memory, torchvision_import

__version__ = "0.1.0"

torchvision_import.cure_when_imported()
memory.keep_freed_memory()
