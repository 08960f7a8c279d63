"""Follow docs/train-on-real-video.md to the letter, on made-up trees and small networks of published form.

    python -m tests.training.follow FOLDER

Trees that look like MEAD and HDTF, of the recordings beside the repository, and networks with random weights
are put into FOLDER under the names that the page gives them. Then its commands are run there in their order,
by the `eadnet` of this checkout, with numbers that fit such a set: 10 steps of 2 segments instead of 20,000
of 8, two workers, no card. The converting and downloading of published files is left out: there are none
here. Prints what each command took.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from eadnet.checkpoints import load_checkpoint, save_checkpoint
from eadnet.presets import PRESETS
from tests.in_comfy import ROOT
from tests.preparation.trees import LANDMARKER, make_hdtf, make_mead
from tests.training.prepared_world import write_networks

PAGE = ROOT / "docs" / "train-on-real-video.md"
CHANGED = {"--workers": "2", "--steps": "10", "--accumulation": "2", "--device": "cpu"}
MORE = {"train": ["--validate-every", "5", "--rate", "1e-3"], "test-videos": ["--steps", "2"]}
LEFT_OUT = ("convert", "fetch")


def commands() -> list[list[str]]:
    """What stands in the page's blocks, word by word, less what published files are needed for."""
    blocks = re.findall(r"```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("eadnet ")]
    found = [shlex.split(line)[1:] for line in lines]
    return [words for words in found if words[0] not in LEFT_OUT]


def fitted(words: list[str]) -> list[str]:
    """The same words with numbers that fit a small set."""
    new = [CHANGED.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    return [*new, *MORE.get(words[0], [])]


def lay_out(folder: Path) -> None:
    """Trees and files as section 1 of the page has them."""
    folder.mkdir(parents=True)
    make_mead(folder / "MEAD")
    make_hdtf(folder / "HDTF")
    networks = write_networks(folder / "networks")
    unet = load_checkpoint(networks.base).component("unet")
    save_checkpoint(folder / "latentsync-1.5.safetensors", {"unet": unet}, PRESETS["latentsync-1.5"].info())
    assert networks.whisper is not None and networks.vae is not None
    shutil.copy(networks.whisper, folder / "whisper-tiny.safetensors")
    for name in ("vae.safetensors", "clip"):
        shutil.copy(networks.vae, folder / name)
    faces = folder / "models" / "eadnet" / "faces"
    faces.mkdir(parents=True)
    shutil.copy(LANDMARKER, faces / "face_landmarker.task")
    for name in ("face_landmark_68_model", "face_expression_model"):
        for file in (LANDMARKER.parent / "face-api").glob(f"{name}*"):
            shutil.copy(file, folder / "models" / file.name)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a new folder for the trees, the networks and all results")
    folder = parser.parse_args().folder.absolute()
    start = time.monotonic()
    lay_out(folder)
    print(f"laid out in {time.monotonic() - start:.0f} s")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    total = [0.0, 0.0]
    for words in commands():
        began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        full = [sys.executable, "-m", "eadnet", *fitted(words)]
        done = subprocess.run(full, cwd=folder, env=environment, stdout=subprocess.PIPE, encoding="utf-8")
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        clock = time.monotonic() - began
        total = [total[0] + clock, total[1] + spent]
        print(f"{clock:6.0f} s, {spent:5.0f} s of processors: eadnet {shlex.join(fitted(words))}")
        print(done.stdout[-3000:])
        if done.returncode:
            print(f"ended with {done.returncode}")
            return 1
    print(f"{total[0]:6.0f} s, {total[1]:5.0f} s of processors in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
