"""Which image files are meant, and where their results go."""

from pathlib import Path

import pytest

from wslib.data.image_files import (
    find_images,
    find_pictures,
    plan_copies,
    plan_results,
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Files, none of them read, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.JPG", "in/a.png", "in/deep/c.webp", "in/notes.txt", "x.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("empty").mkdir()


def names(paths) -> list[str]:
    return [path.as_posix() for path in paths]


def test_images_right_in_a_folder_each_once(files):
    paths = [Path("x.png"), Path("in"), Path("in/a.png")]
    assert names(find_images(paths)) == ["x.png", "in/a.png", "in/b.JPG"]
    assert names(find_images([*paths, Path("empty")]))[0] == "x.png"
    with pytest.raises(ValueError, match="empty: no images in this folder"):
        find_images([Path("empty")])
    Path("up/down").mkdir(parents=True)
    Path("up/down/d.png").touch()
    with pytest.raises(ValueError, match="in this folder; there are some in up/down$"):
        find_images([Path("up")])
    with pytest.raises(FileNotFoundError, match="y.png: no such image"):
        find_images([Path("y.png")])


def test_pictures_in_all_folders_below_but_one(files):
    found = names(find_pictures(Path("in"), Path("out")))
    assert found == ["in/a.png", "in/b.JPG", "in/deep/c.webp"]
    assert names(find_pictures(Path("in"), Path("in/deep"))) == found[:2]
    Path("build/cam").mkdir(parents=True)
    Path("build/cam/a_cam.png").write_bytes(Path("in/a.png").read_bytes())
    found = names(find_pictures(Path("."), Path("out")))
    assert "in/a.png" in found and not any("build" in name for name in found)
    Path("in/build/cam").mkdir(parents=True)
    Path("build/cam/a_cam.png").rename("in/build/cam/a_cam.png")  # made in the folder
    found = names(find_pictures(Path("in"), Path("out")))
    assert found == ["in/a.png", "in/b.JPG", "in/deep/c.webp"]
    assert names(find_pictures(Path("in/notes.txt"), Path("out"))) == ["in/notes.txt"]
    with pytest.raises(ValueError, match="empty: no pictures in this folder"):
        find_pictures(Path("empty"), Path("out"))
    with pytest.raises(FileNotFoundError, match="no such picture, folder or CSV"):
        find_pictures(Path("nowhere"), Path("out"))


def test_results_are_named_after_their_image(files):
    planned = plan_results([Path("in/a.png")], Path("o"), ["_m.png", ".json"])
    assert names(planned[Path("in/a.png")]) == ["o/a_m.png", "o/a.json"]
    with pytest.raises(ValueError, match="x.png: is one of the images, and is not re"):
        plan_results([Path("in/a.png"), Path("x.png")], Path("."), [".png"][:1])
    with pytest.raises(ValueError, match="o/a.x: would be of both in/a.png and a.gif"):
        plan_results([Path("in/a.png"), Path("a.gif")], Path("o"), [".x"])


def test_copies_lie_as_deep_as_their_files(files):
    copies = plan_copies([Path("in/a.png"), Path("in/deep/c.webp")], Path("o"), "sheet")
    assert names(copies.values()) == ["o/a.png", "o/deep/c.png"]
    twins = [Path("in/a.png"), Path("in/a.jpg"), Path("in/sheet.bmp")]
    copies = plan_copies(twins, Path("o"), "sheet")
    assert names(copies.values()) == ["o/a.png.png", "o/a.jpg.png", "o/sheet.bmp.png"]
    with pytest.raises(ValueError, match=r"in/a.png: is one of the pictures, and is"):
        plan_copies([Path("in/a.png")], Path("in"), "sheet")
