# SPDX-License-Identifier: Apache-2.0
"""What the compiler and the linker were asked for is in the programs: position independence, relocations
that are final before main, stacks that are data, canaries, checked string functions, CET.

The build directory is TARE_BUILD, or build/ of the source tree; readelf and nm are binutils'.
"""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("TARE_BUILD") or pathlib.Path(__file__).resolve().parents[3] / "build")
PROGRAMS = ["tare", "tare-init", "tare-unpack", "tare-seccomp", "tare-logz", "tare-dns", "tare-fetch"]

pytestmark = [
    pytest.mark.skipif(not shutil.which("readelf"), reason="needs binutils"),
    pytest.mark.skipif(not (BUILD / "tare").exists(), reason="nothing is built"),
]


def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def facts():
    """Per program: ELF header, program headers, dynamic section, notes, symbols."""
    found = {}
    for name in PROGRAMS:
        path = str(BUILD / name)
        found[name] = {
            "header": run("readelf", "-hW", path), "segments": run("readelf", "-lW", path),
            "dynamic": run("readelf", "-dW", path), "notes": run("readelf", "-nW", path),
            "symbols": run("nm", path) + run("nm", "-D", path),
        }
    if "__asan_init" in found["tare"]["symbols"]:
        pytest.skip("a build with sanitizers is not for use")
    return found


@pytest.fixture(params=PROGRAMS)
def program(request, facts):
    return facts[request.param]


def is_static(program):
    return "INTERP" not in program["segments"]


def test_position_independent(program):
    assert re.search(r"Type:\s+DYN ", program["header"])
    assert re.search(r"\(FLAGS_1\).*\bPIE\b", program["dynamic"])


def test_relocations_are_final(program):
    assert "GNU_RELRO" in program["segments"]
    assert re.search(r"\((FLAGS|FLAGS_1|BIND_NOW)\).*\b(BIND_NOW|NOW)\b", program["dynamic"])
    assert "(TEXTREL)" not in program["dynamic"]


def test_stack_is_data(program):
    stack = re.search(r"GNU_STACK\s+\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+(\S+)", program["segments"])
    assert stack and stack.group(1) == "RW"


def test_no_segment_is_writable_and_executable(program):
    loads = re.findall(r"LOAD\s+(?:0x\S+\s+){5}([RWE ]{3}) ", program["segments"])
    assert loads and "R E" in loads
    assert not [flags for flags in loads if "W" in flags and "E" in flags]


def test_no_search_path(program):
    assert "(RPATH)" not in program["dynamic"] and "(RUNPATH)" not in program["dynamic"]


def test_stack_protector(program):
    assert "__stack_chk_fail" in program["symbols"]


@pytest.mark.parametrize("name", ["tare", "tare-unpack", "tare-seccomp", "tare-logz", "tare-fetch"])
def test_fortify(name, facts):
    # snprintf, memcpy and their like, where the compiler knows how much room there is.
    assert re.search(r"__\w+_chk\b", facts[name]["symbols"].replace("__stack_chk_fail", ""))


def test_cet(facts):
    # Asked of our objects: a program has the note only if every object in it does, and those of glibc's
    # start-up code are without on some distributions.
    if "x86-64" not in facts["tare"]["header"].lower():
        pytest.skip("x86 only")
    objects = sorted(str(path) for path in BUILD.glob("src/*/lib*.a.p/*.o"))
    assert len(objects) > 100
    notes = re.split(r"^File: ", run("readelf", "-nW", *objects), flags=re.M)[1:]
    assert len(notes) == len(objects)
    for text in notes:
        assert re.search(r"x86 feature: .*\bIBT\b.*\bSHSTK\b", text), text.split("\n")[0]


def test_tare_needs_no_loader(facts):
    if not is_static(facts["tare"]):
        pytest.skip("built with -Dstatic=false")
    for name in ("tare", "tare-init"):
        assert is_static(facts[name]) and "(NEEDED)" not in facts[name]["dynamic"]
