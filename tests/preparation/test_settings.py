"""Settings that cannot work are refused, and those of two runs can be told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eadnet.errors import InputError
from eadnet.preparation.features import check_cache
from eadnet.preparation.settings import Cache, Settings, differences


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"layout": "meed"}, "did you mean mead"),
        ({"resolution": 300}, "256 or 512"),
        ({"shortest": 8.0}, "at most half"),
        ({"longest": 90.0}, "60 s or less"),
        ({"smallest_face": -1.0}, "The smallest face"),
        ({"most_offset": 20}, "14 or fewer"),
        ({"most_offset": 15}, "14 or fewer"),
        ({"least_sharp": float("nan")}, "The sharpness is nan"),
        ({"confidence": float("nan")}, "The confidence is nan"),
    ],
)
def test_what_cannot_work_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Settings(**settings)


def test_two_runs_are_told_apart_by_what_matters(tmp_path: Path) -> None:
    weights = tmp_path / "syncnet_v2.safetensors"
    weights.write_bytes(b"one")
    one = Settings(sync_model=weights)
    assert not differences(one.told(), Settings(sync_model=weights, device="cuda").told())
    before = one.told()
    weights.write_bytes(b"two")
    assert "judge" in differences(before, one.told())
    assert differences(Settings().told(), Settings(resolution=512).told()) == "resolution 256, now 512"


def test_features_are_those_of_the_same_crops() -> None:
    check_cache(Cache("ead-256", vae=Path("vae.safetensors")), 256)
    with pytest.raises(InputError, match="other crops"):
        check_cache(Cache("ead-512", vae=Path("vae.safetensors")), 256)
    with pytest.raises(InputError, match="portrait"):
        check_cache(Cache("mini", vae=Path("vae.safetensors")), 256)
    with pytest.raises(InputError, match="at least one"):
        check_cache(Cache("ead-256"), 256)
