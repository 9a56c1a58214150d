"""What is kept: whole, found again, made anew after a change or a damage."""

import functools
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from wslib.boxes import nms
from wslib.models.features import keep_feature_maps
from wslib.runtime.kept import (
    NotWritten,
    alone,
    build_once,
    check_kept,
    code_digest,
    digest,
    hash_bytes,
    hash_file,
    keep,
    keyed,
    move,
    read_kept,
    read_text,
    write_bytes,
    write_json,
    write_text,
    written_whole,
)

# ------------------------------------------------------------------------- writing


def test_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(KeyboardInterrupt), written_whole(file) as part:
        part.write_text("half of the n")
        raise KeyboardInterrupt
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]
    with written_whole(file) as part:
        part.write_text("new")
    assert file.read_text() == "new" and list(tmp_path.iterdir()) == [file]


def test_texts_bytes_and_json(tmp_path):
    text, content, value = (tmp_path / "new" / name for name in "abc")
    write_text(text, "ä\nb\n")
    assert text.read_bytes() == "ä\nb\n".encode()
    write_text(text, "a\nb\n", newline="\r\n")
    assert text.read_bytes() == b"a\r\nb\r\n"
    write_bytes(content, b"\0\1")
    assert content.read_bytes() == b"\0\1"
    write_json(value, {"b": [1, None]})
    assert json.loads(value.read_text()) == {"b": [1, None]}
    for bad, error in ((float("nan"), ValueError), (object(), TypeError)):
        with pytest.raises(error):
            write_json(value, bad)
    assert json.loads(value.read_text()) == {"b": [1, None]}
    assert len(list(value.parent.iterdir())) == 3


def test_a_file_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    file = tmp_path / "a.txt"
    write_text(file, "old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(NotWritten) as error:
        write_text(file, "new")
    assert str(error.value) == f"{file}: cannot be written: No space left on device"
    assert (error.value.errno, error.value.filename) == (28, str(file))
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]
    for kind in (ValueError, OSError):
        with pytest.raises(kind, match="is no file, and is not replaced"):
            write_text(tmp_path, "new")
    with pytest.raises(NotWritten, match="b: cannot be written"):
        write_text(file / "b", "below a file")


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_permissions_stay(tmp_path):
    file = tmp_path / "script"
    write_text(file, "one")
    file.chmod(0o750)
    write_text(file, "two")
    assert stat.S_IMODE(file.stat().st_mode) == 0o750 and file.read_text() == "two"


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")
def test_links_stay_and_write_protected_files_too(tmp_path):
    file, link = tmp_path / "far/real", tmp_path / "link"
    write_text(file, "one")
    link.symlink_to(file)
    write_text(link, "two")
    assert link.is_symlink() and file.read_text() == "two"
    file.chmod(0o444)
    for path in (file, link):
        with pytest.raises(NotWritten, match="far/real: cannot .* write-protected"):
            write_text(path, "three")
    assert file.read_text() == "two" and len(list(file.parent.iterdir())) == 1


def test_texts_are_utf8_with_or_without_a_mark(tmp_path):
    file = tmp_path / "a"
    for content in (b"\xef\xbb\xbfgr\xc3\xbcn\r\n", b"gr\xc3\xbcn\n"):
        file.write_bytes(content)
        assert read_text(file) == "grün\n"
    file.write_bytes(b"gr\xfcn")
    with pytest.raises(ValueError, match=r"a: not in UTF-8 \(byte 3\); save it as"):
        read_text(file)


def test_two_who_write_the_same_file_do_not_meet(tmp_path):
    file, parts = tmp_path / "a", []
    both = threading.Barrier(2, timeout=30)

    def write(text):
        with written_whole(file) as part:
            parts.append(part)
            part.write_text(text)
            both.wait()

    threads = [threading.Thread(target=write, args=(text,)) for text in "xy"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(parts)) == 2 and file.read_text() in "xy"
    assert not any(str(os.getpid()) not in part.name for part in parts)
    assert list(tmp_path.iterdir()) == [file]


def test_move_replaces_and_makes_room(tmp_path):
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old")
    move(tmp_path / "a", tmp_path / "b")
    move(tmp_path / "b", tmp_path / "deep" / "down" / "c")
    assert (tmp_path / "deep" / "down" / "c").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


# ------------------------------------------------------------------------- digests


def test_hashes_are_those_that_others_print(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_bytes(b"a", b"", b"bc") == hash_file(tmp_path / "abc") == sha256
    md5 = "900150983cd24fb0d6963f7d28e17f72"
    assert hash_file(tmp_path / "abc", "md5") == hash_bytes(b"abc", kind="md5") == md5
    assert hash_bytes(np.arange(3, dtype=np.uint8)) == hash_bytes(b"\0\1\2")


def test_a_digest_stands_for_the_value(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").write_bytes(b"content")
    (tmp_path / "c").write_bytes(b"contents")
    array = np.arange(6.0).reshape(2, 3)
    values = [
        *(None, True, 1, 1.5, "1", "", b"", b"1", [], [[]], {}, [1, 2], [2, 1]),
        *({"a": 1}, {"a": 2}, {"b": 1}, tmp_path / "a", tmp_path / "c", "content"),
        *(array, array.T.copy(), array.astype(np.float32), array + 1),
        *(array.reshape(3, 2), [array, array], array[:0], np.float32(1)),
        array.view(np.int64),  # of the same bytes
    ]
    digests = [digest(value) for value in values]
    assert len(set(digests)) == len(values)
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in digests)
    assert digests == [digest(value) for value in values]
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest((1, [2])) == digest([1, (2,)])
    assert digest(torch.arange(6.0, dtype=torch.float64).view(2, 3)) == digest(array)
    assert digest(array.T) == digest(array.T.copy())
    with pytest.raises(TypeError, match="no digest of a set"):
        digest({"a": {1, 2}})
    with pytest.raises(FileNotFoundError):
        digest([tmp_path / "none"])


def test_the_code_is_what_the_imports_reach(edited):
    before, other = code_digest(keep_feature_maps), code_digest(nms.nms)
    for module in ("models/features", "models/dense", "data/images", "runtime/kept"):
        with edited(module, "MORE = 1"):
            assert code_digest(keep_feature_maps) != before, module
    for more in ("# a comment", "\n\n"):
        with edited("models/dense", more):
            assert code_digest(keep_feature_maps) == before
    with edited("weak/runs", "MORE = 1"):
        assert code_digest(keep_feature_maps) == before
    with edited("models/features", "MORE = 1"):
        assert code_digest(nms.nms) == other
    assert code_digest(lambda: 0) not in (before, other)  # this very file


def test_libraries_have_versions_and_the_rest_no_code(monkeypatch):
    assert code_digest(np) == f"numpy {np.__version__}"
    monkeypatch.setattr(np, "__version__", "9")
    assert code_digest(np) == "numpy 9"
    typed = type("Typed", (), {"__module__": "__main__ of a notebook"})
    assert code_digest(typed) == "" == code_digest(len)
    for no_code in (functools.partial(print), "text", 3):
        with pytest.raises(TypeError, match="no code of a"):
            code_digest(no_code)


# ---------------------------------------------------------------------- built once


def test_the_key_is_of_inputs_and_of_code(tmp_path, edited):
    place = tmp_path / "maps"
    first = keyed(place, {"a": 1}, nms.nms, np)
    assert first.parent == tmp_path and len(first.name) == len("maps-") + 10
    assert first == keyed(place, {"a": 1}, nms.nms, np)
    others = [
        keyed(place, {"a": 2}, nms.nms, np),
        keyed(place, {"a": 1}, nms.nms),
        keyed(place, {"a": 1}, nms.nms, torch),
        keyed(place, {"a": 1}, keep_feature_maps, np),
    ]
    with edited("boxes/nms", "MORE = 1"):
        others.append(keyed(place, {"a": 1}, nms.nms, np))
    assert len({first, *others}) == 6


def test_builds_once(tmp_path):
    calls = []

    def build(part):
        calls.append(part)
        (part / "file").write_text("x")

    for _ in range(2):
        assert build_once(tmp_path / "sub" / "set", build) == tmp_path / "sub" / "set"
    assert len(calls) == 1
    assert (tmp_path / "sub" / "set" / "file").read_text() == "x"
    assert [p for p in (tmp_path / "sub").iterdir() if "part" in p.name] == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_what_is_built_takes_its_name_at_once_and_is_open_to_others(tmp_path):
    built = []
    folder = build_once(tmp_path / "set", lambda part: built.append(part.stat()))
    assert folder.stat().st_ino == built[0].st_ino
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_failure_leaves_nothing(tmp_path):
    def build(part):
        (part / "half").write_text("x")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        build_once(tmp_path / "set", build)
    assert not (tmp_path / "set").exists()
    assert not list(tmp_path.glob("*part*")) + list(tmp_path.glob(".*part*"))


SLOW = """
import sys, time
from pathlib import Path
from wslib.runtime.kept import build_once
def build(part):
    print("building", flush=True)
    (part / "half").write_text("x")
    time.sleep(float(sys.argv[2]))
    (part / "whole").write_text("x")
build_once(Path(sys.argv[1]), build)
"""


def start(folder: Path, seconds: float) -> subprocess.Popen:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", SLOW, str(folder), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX locks and signals")
def test_two_processes_build_once_and_a_killed_one_leaves_no_half(tmp_path):
    folder = tmp_path / "set"
    killed = start(folder, 60)
    assert killed.stdout.readline() == "building\n"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not folder.exists() and len(list(tmp_path.glob(".*part-*"))) == 1
    first = start(folder, 1.5)
    assert first.stdout.readline() == "building\n"
    began = time.time()
    second = start(folder, 1.5)
    assert [first.wait(30), second.wait(30)] == [0, 0] and time.time() - began < 25
    assert second.stdout.read() == ""
    assert sorted(p.name for p in folder.iterdir()) == ["half", "whole"]
    assert not list(tmp_path.glob(".*part-*"))
    for process in (killed, first, second):
        process.stdout.close()


class Builder:
    """Builds two files, and counts how often."""

    def __init__(self, place):
        self.place, self.count = place, 0

    def keep(self, inputs=1, *code) -> Path:
        return keep(self.place, inputs, lambda part: self.build(part), *code)

    def build(self, part):
        self.count += 1
        (part / "below").mkdir()
        (part / "below" / "b").write_bytes(b"b" * 100)
        (part / "a").write_bytes(b"a" * 100)


@pytest.fixture
def builder(tmp_path):
    return Builder(tmp_path / "here" / "set")


def test_kept_until_inputs_or_code_change(builder):
    folder = builder.keep()
    assert folder == builder.keep() and builder.count == 1
    assert folder == keyed(builder.place, 1, Builder) != keyed(builder.place, 1)
    assert (folder / "below" / "b").read_bytes() == b"b" * 100
    assert sorted(path.name for path in folder.rglob("*")) == ["a", "b", "below"]
    assert len({folder, builder.keep(2), builder.keep(1, np)}) == 3 == builder.count
    assert builder.keep() == folder and builder.count == 3


def truncate(file):
    os.truncate(file, 60)


def flip(file):
    file.write_bytes(b"x" + file.read_bytes()[1:])


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink])
@pytest.mark.parametrize("name", ["a", "below/b"])
def test_a_damaged_file_is_named_and_made_anew(builder, capsys, damage, name):
    folder = builder.keep()
    other = builder.keep(2)
    assert capsys.readouterr().err == ""
    damage(folder / name)
    assert builder.keep() == folder and builder.count == 3
    assert (folder / name).read_bytes() == name[-1:].encode() * 100
    printed = capsys.readouterr().err
    assert printed.startswith(f"{folder / name}: ") and printed.count("\n") == 1
    assert "made anew" in printed and other.is_dir()
    assert builder.keep() == folder and builder.count == 3
    assert capsys.readouterr().err == ""


def test_what_is_only_touched_is_sound(builder, capsys):
    folder = builder.keep()
    os.utime(folder / "a", (1, 1))
    (folder / "more").write_text("of somebody else")
    assert builder.keep() == folder and builder.count == 1
    assert capsys.readouterr().err == ""


def test_the_record_itself_may_be_damaged_or_gone(builder, capsys):
    folder = builder.keep()
    record = folder.with_name(f".{folder.name}.json")
    record.write_text("{half")
    assert builder.keep() == folder and builder.count == 2
    assert capsys.readouterr().err.startswith(f"{record}: damaged")
    record.unlink()  # nothing is known
    assert builder.keep() == folder and builder.count == 2


def test_a_folder_that_was_removed_is_made_anew(builder, capsys):
    folder = builder.keep()
    for file in (folder / "a", folder / "below" / "b"):
        file.unlink()
    (folder / "below").rmdir(), folder.rmdir()
    assert builder.keep().is_dir() and builder.count == 2
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX locks")
def test_two_who_find_the_same_damage_make_it_anew_once(builder):
    folder = builder.keep()
    truncate(folder / "a")
    found = []
    with alone(folder):
        threads = [
            threading.Thread(target=lambda: found.append(builder.keep()))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)  # all wait, and know of the damage
    for thread in threads:
        thread.join(30)
    assert found == [folder] * 3 and builder.count == 2
    assert (folder / "a").read_bytes() == b"a" * 100


# ------------------------------------------------------------------------- damaged


def test_reading_what_is_kept(tmp_path, capsys):
    file = tmp_path / "a.json"
    assert read_kept(file, json.loads) is None
    file.write_text("[1")
    assert read_kept(file, lambda path: json.loads(path.read_text())) is None
    assert not file.exists()
    line = f"{file}: damaged (JSONDecodeError); it is made anew\n"
    assert capsys.readouterr().err == line
    file.write_text("[1]")
    assert read_kept(file, lambda path: json.loads(path.read_text())) == [1]


@pytest.mark.parametrize("error", [MemoryError, PermissionError, KeyboardInterrupt])
def test_not_every_error_means_a_damage(tmp_path, error):
    def read(path):
        raise error

    write_text(tmp_path / "a", "fine")
    with pytest.raises(error):
        read_kept(tmp_path / "a", read)
    assert (tmp_path / "a").read_text() == "fine"


def test_files_of_a_folder_belong_together(tmp_path, capsys):
    folder, readers = tmp_path / "run", {".npy": np.load}
    assert check_kept(folder, readers) == folder and not folder.exists()
    folder.mkdir()
    for name in ("a.npy", "b.npy"):
        np.save(folder / name, np.arange(3))
    write_text(folder / "notes.txt", "no array")
    assert check_kept(folder, readers) == folder and len(list(folder.iterdir())) == 3
    os.truncate(folder / "b.npy", 130)
    assert check_kept(folder, readers) == folder and not folder.exists()
    printed = capsys.readouterr().err
    assert printed.startswith(f"{folder / 'b.npy'}: damaged")
    assert printed.count("\n") == 1


def test_json_keeps_letters_as_they_are(tmp_path):
    write_json(tmp_path / "a.json", {"name": "Grünau"})
    assert "Grünau" in (tmp_path / "a.json").read_text(encoding="utf-8")
