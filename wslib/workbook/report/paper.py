"""What the PDF needs beside its text: photographs as it holds them, and little air."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

from wslib.show import svg
from wslib.workbook.report.stage import PICTURES, Stage, write_pages


def lay_out(staged: Stage, folder: Path) -> Stage:
    """The book in `folder`, in the place of what was there, its photographs as JPEG: a
    PDF takes these as they are, and would unpack a WebP."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(staged.folder, folder)
    for picture in sorted((folder / PICTURES).glob("*.svg")):
        picture.write_bytes(svg.pack(picture.read_bytes(), svg.PAPER))
    write_pages(staged, folder)
    return replace(staged, folder=folder)


def squeeze(pdf: Path) -> None:
    """Pack the small objects of the PDF together. Typst writes each by itself, and
    there are thousands of them, which tell a screen reader what is what."""
    import pikepdf

    together, content = pikepdf.ObjectStreamMode.generate, pdf.read_bytes()
    with pikepdf.open(io.BytesIO(content)) as document:
        packed = io.BytesIO()
        document.save(packed, object_stream_mode=together, recompress_flate=True)
    pdf.write_bytes(packed.getvalue())
