"""Weakly supervised localisation: from image labels to boxes and masks.

The modules, in the order in which data flows: `data`, `models`, `training`, `heads`,
`cam`, `boxes`, `metrics`, `localisation`, `detections`, `evidence`, `teaching`,
`segment`, `tuning`, `tables`, `figures`, `workbook`, `cli`.
"""

from wslib import _memory, _torchvision

__version__ = "0.1.0"

_torchvision.cure_when_imported()
_memory.keep_freed_memory()
