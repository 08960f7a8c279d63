"""Configuration files: what they set, and the mistakes they may hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from eadnet.errors import InputError
from eadnet.training.recipes import command
from eadnet.training.recipes.budget import MINUTES, Budget, within
from eadnet.training.recipes.config import Config, parse_config, read_config

tomllib = pytest.importorskip("tomllib", reason="TOML files need Python 3.11")

SHIPPED = sorted((Path(command.__file__).parent / "configs").glob("*.toml"))


def write(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_named_is_set_and_the_rest_keeps_its_default(tmp_path: Path) -> None:
    text = "[budget]\ndenoiser = 5\n[denoiser]\nbf16 = true\nsteps = 7\n[losses]\nsync = 1\n"
    config = read_config(write(tmp_path, text))
    assert config.budget == Budget(denoiser=5.0)
    assert config.denoiser.bf16 and config.denoiser.steps == 7 and config.denoiser.rate == 8e-4
    assert config.losses.sync == 1.0 and config.losses.trepa == 0


def test_an_empty_file_is_the_recipe_of_mini_and_no_extra_loss(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, ""))
    assert config == Config()
    weights = [v for k, v in vars(config.losses).items() if k != "frames"]
    assert not any(weights) and config.denoiser.min_snr == 0 and config.smoother.sampled == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[denoiser]\nrat = 1", r"\[denoiser\] has no setting 'rat': did you mean 'rate'\?"),
        ("[loses]\nsync = 1", r"no section \[loses\]: did you mean 'losses'\?"),
        ("[losses]\nsync = 'much'", "sync is 'much': give a value of type float"),
        ("[losses]\nsync = -1", "sync is -1.0: give 0 or more"),
        ("[losses]\nsync = nan", "sync is nan: give 0 or more"),
        ("[denoiser]\nbf16 = 1", "bf16 is 1: give a value of type bool"),
        ("[denoiser]\nsteps = 1.5", "steps is 1.5: give a value of type int"),
        ("[denoiser]\nminutes = 3", r"write denoiser = ... in \[budget\]"),
        ("[smoother]\nsampled = 2", "give a share, 0 to 1"),
        ("losses = 3", "must be a table"),
        ("[losses\n", "is no TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_config(write(tmp_path, text))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no configuration"):
        read_config(tmp_path / "none.toml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_files_set_what_they_say(path: Path) -> None:
    config = read_config(path)
    written = {
        (section, name): value
        for section, table in tomllib.loads(path.read_text(encoding="utf-8")).items()
        for name, value in table.items()
    }
    assert written == {(section, name): getattr(getattr(config, section), name) for section, name in written}


def test_a_time_limit_scales_the_stages_and_nothing_else() -> None:
    budget = within(Budget(), 10.0)
    assert sum(getattr(budget, name) for name in MINUTES) == pytest.approx(10)
    assert budget.clips == Budget().clips
    assert budget.denoiser / budget.smoother == pytest.approx(Budget().denoiser / Budget().smoother)
    with pytest.raises(InputError, match="more than 0"):
        within(Budget(), 0)


def test_options_win_over_the_file_and_minutes_are_those_of_the_stage(tmp_path: Path) -> None:
    path = write(tmp_path, "[budget]\ndenoiser = 5\nclips = 9\n")
    parse = command._parser().parse_args
    config = command.configured(parse(["denoiser", "--config", str(path), "--clips", "4", "--minutes", "2"]))
    assert (config.budget.clips, config.budget.denoiser) == (4, 2.0)
    assert config.budget.autoencoder == Budget().autoencoder
    with pytest.raises(InputError, match="stage render has no time limit"):
        command.configured(parse(["render", "--minutes", "2"]))


def test_the_command_says_a_mistake_in_one_sentence_and_ends_with_2(tmp_path: Path, caplog) -> None:
    path = write(tmp_path, "[losses]\nsinc = 1\n")
    assert command.main(["denoiser", "--config", str(path), "--folder", str(tmp_path)]) == 2
    assert "did you mean 'sync'?" in caplog.text


def test_tables_from_elsewhere_are_checked_alike() -> None:
    with pytest.raises(InputError, match="mine has no section"):
        parse_config({"x": {}}, "mine")


@pytest.mark.parametrize("stage", ["autoencoder", "encode", "assemble"])
def test_a_stage_before_its_turn_says_which_come_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stage: str
) -> None:
    assert command.main([stage, "--folder", str(tmp_path)]) == 2
    assert f"The stage {stage} needs {tmp_path}" in caplog.text and "render, autoencoder" in caplog.text
