# SPDX-License-Identifier: Apache-2.0
"""The writable layer of a container is whole without the layers below it: no feature of overlayfs that
leaves a mark in the place of a name or of content is on, whatever the module's defaults are."""
import errno
import os
import pathlib
import stat

import pytest

PARAMETERS = pathlib.Path("/sys/module/overlay/parameters")
FEATURES = ("redirect_dir", "metacopy", "index")


@pytest.fixture
def up(tare):
    """A running container's root as the host sees it, and its upper directory."""
    tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
    info = tare.inspect("up")
    return pathlib.Path("/proc/%d/root" % info["State"]["Pid"]), tare.root / "containers" / info["Id"] / "upper"


def overlay_options(root):
    for line in (root.parent / "mountinfo").read_text().splitlines():
        mount, _, fs = line.partition(" - ")
        if mount.split()[4] == "/":
            kind, _, options = fs.split()
            assert kind == "overlay"
            return options.split(",")
    return None


def test_features_are_off(up):
    """The kernel shows an option where it differs from the module's default (overlayfs, show_options)."""
    options = overlay_options(up[0])
    for feature in FEATURES:
        default = PARAMETERS / feature
        shown = [o for o in options if o.startswith(feature + "=")]
        assert shown in ([], [feature + "=off"], [feature + "=nofollow"]), options
        if default.exists() and default.read_text().strip() == "Y":
            assert shown, "%s is on by the module's default, and was not switched off: %s" % (feature, options)


def test_a_lower_directory_cannot_be_renamed(up):
    with pytest.raises(OSError) as failure:
        os.rename(up[0] / "var", up[0] / "renamed")
    assert failure.value.errno == errno.EXDEV


def lower_files(tare, folder):
    """Path and content of every file that the container sees below FOLDER."""
    listing = tare.ok("exec", "up", "find", folder, "-type", "f")
    return {f[len(folder):]: tare("exec", "up", "cat", f, binary=True).out for f in listing.splitlines()}


def marks(upper):
    """The attributes that overlayfs gave to what is in the upper directory."""
    found = set()
    for folder, dirs, files in os.walk(upper):
        for name in dirs + files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                found |= set(os.listxattr(path))
    return found


def test_what_is_moved_or_changed_is_whole_in_the_upper_directory(tare, up):
    root, upper = up
    before = lower_files(tare, "/bin")
    assert any(before.values())
    # The shell and its mv are the directory that moves: it is copied whole before the old one goes.
    tare.ok("exec", "up", "/bin/busybox", "cp", "-a", "/bin", "/kept")
    tare.ok("exec", "up", "/kept/busybox", "mv", "/bin", "/moved")
    after = {str(p)[len(str(upper / "moved")):]: p.read_bytes() for p in (upper / "moved").rglob("*")
             if p.is_file() and not p.is_symlink()}
    assert after == before
    gone = os.lstat(upper / "bin")
    assert stat.S_ISCHR(gone.st_mode) and gone.st_rdev == 0
    # A change of mode alone copies the content too.
    copy = upper / "etc/passwd"
    content = (root / "etc/passwd").read_bytes()
    assert content and not copy.exists()
    tare.ok("exec", "up", "/kept/busybox", "chmod", "600", "/etc/passwd")
    assert copy.read_bytes() == content and stat.S_IMODE(copy.stat().st_mode) == 0o600
    names = marks(upper)
    assert not {name for name in names if "redirect" in name or "metacopy" in name}, names


def test_user_attributes_are_no_marks(tare, up):
    """Without userxattr overlayfs looks at trusted.overlay.* alone: what a program in the container may
    write under user.overlay.* hides nothing, and so is no mark when the layer is written."""
    root, upper = up
    before = tare.ok("exec", "up", "ls", "/var")
    assert before
    os.setxattr(root / "var", "user.overlay.opaque", b"y")
    assert os.getxattr(upper / "var", "user.overlay.opaque") == b"y"
    # Marks are read when a directory is looked up: by a new mount they would be.
    tare.ok("stop", "-t", "0", "up")
    tare.ok("start", "up")
    assert tare.ok("exec", "up", "ls", "/var") == before
