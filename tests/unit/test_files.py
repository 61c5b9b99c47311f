"""Files are whole or not there, survive a power failure, and leave nothing beside them."""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from course_utils import files
from course_utils.files import check_writable, write_whole

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="another way with files")


def test_text_and_bytes_as_they_are(tmp_path):
    write_whole(tmp_path / "a", "ü\n")
    write_whole(str(tmp_path / "b"), b"\r\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xbc\n"
    assert (tmp_path / "b").read_bytes() == b"\r\n"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@POSIX
def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    write_whole(tmp_path / "a", "old")
    for _ in range(2):
        if (child := os.fork()) == 0:
            files.os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
            write_whole(tmp_path / "a", "half")
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 2  # the second has removed what the first left
    assert (tmp_path / "a").read_text() == "old"
    write_whole(tmp_path / "a", "new")
    assert os.listdir(tmp_path) == ["a"]


@POSIX
def test_flushed_to_the_disk_before_it_takes_the_old_ones_place(tmp_path, monkeypatch):
    calls = []
    fsync, rename = os.fsync, os.replace

    def recorded_fsync(descriptor):
        calls.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else os.fstat(descriptor).st_size)
        fsync(descriptor)

    monkeypatch.setattr(files.os, "fsync", recorded_fsync)
    monkeypatch.setattr(files.os, "replace", lambda *paths: (calls.append("replace"), rename(*paths)))
    write_whole(tmp_path / "a", b"12345")
    assert calls == [5, "replace", "folder"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_cut_short_the_old_file_stays(tmp_path, monkeypatch, step, error):
    def fail(*_):
        raise error

    write_whole(tmp_path / "a", "old")
    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(type(error)):
        write_whole(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_several_at_once_leave_one_whole_file(tmp_path):
    contents = [bytes([number]) * 100_000 for number in range(8)]

    def write_often(content: bytes) -> None:
        for _ in range(10):
            write_whole(tmp_path / "a", content)

    with ThreadPoolExecutor(len(contents)) as pool:
        writers = [pool.submit(write_often, content) for content in contents]
        while not all(writer.done() for writer in writers):
            assert not (tmp_path / "a").exists() or (tmp_path / "a").read_bytes() in contents
        for writer in writers:
            writer.result()  # or its error: its new file was taken for abandoned
    assert (tmp_path / "a").read_bytes() in contents
    assert os.listdir(tmp_path) == ["a"]


@POSIX
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(Path("folder", "a"))
    write_whole(tmp_path / "link", "through it")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "a").read_text() == "through it"


@pytest.mark.parametrize("name", ["no/such/folder/a", "a" * 300])
def test_what_can_not_be_written_is_found_out_before(tmp_path, name):
    with pytest.raises(OSError):
        check_writable(tmp_path / name)
    check_writable(tmp_path / "a")
    assert not list(tmp_path.iterdir())
