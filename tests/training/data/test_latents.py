"""What the denoiser reads from an encoded data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eadnet.dataset_format import MOMENTS_PER_STILL_PERSON, ParameterLayout
from eadnet.errors import InputError
from eadnet.modules.autoencoder import MiniAutoencoder
from eadnet.training.data.encoding import encode_dataset, encode_stills
from eadnet.training.data.latents import ARRAYS, Faces, LatentStills
from tests.training.tiny_world import FRAMES, latent_set, write_clips

WHO = torch.zeros(200, dtype=torch.long)


def test_without_a_generator_a_clip_has_its_own_speech(tmp_path: Path) -> None:
    folder = write_clips(tmp_path, 2)
    np.save(folder / "voices.npy", np.ones((2, 3, FRAMES * 640), np.int16))
    own = np.load(folder / "speech.npy")[:1]
    heard = latent_set(folder).waveforms(torch.tensor([0]))
    np.testing.assert_array_equal((heard * 32767).round().numpy(), own)


def test_with_a_generator_any_of_its_speakers_says_it(tmp_path: Path) -> None:
    folder = write_clips(tmp_path, 2)
    voices = np.zeros((2, 2, FRAMES * 640), np.int16)
    voices[0, 0], voices[0, 1], voices[1] = 111, 222, 999
    np.save(folder / "voices.npy", voices)
    heard = latent_set(folder).waveforms(WHO, torch.Generator().manual_seed(0))[:, :2] * 32767
    first = heard[:, 0].round().tolist()
    shares = [first.count(111) / 200, first.count(222) / 200]
    assert all(0.2 < share < 0.47 for share in shares) and 999 not in first


def test_clips_without_other_voices_are_heard_as_they_are(tmp_path: Path) -> None:
    data = latent_set(write_clips(tmp_path, 2))
    rows = torch.tensor([1, 0])
    torch.testing.assert_close(data.waveforms(rows, torch.Generator().manual_seed(0)), data.waveforms(rows))


def test_a_set_takes_in_another_with_its_voices_changes_and_words(tmp_path: Path) -> None:
    parts = [
        write_clips(tmp_path / name, count, seed) for seed, (name, count) in enumerate([("a", 2), ("b", 3)])
    ]
    for part, count in zip(parts, (2, 3), strict=True):
        np.save(part / "voices.npy", np.full((count, 1, FRAMES * 640), count, np.int16))
        np.save(part / "changes.npy", np.full((count, FRAMES), count / 10, np.float32))
    both, second = (latent_set(part) for part in parts)
    both.append(second)
    assert len(both) == 5 and [entry["row"] for entry in both.texts] == [0, 1, 2, 3, 4]
    torch.testing.assert_close(both.target[2:], second.target)
    torch.testing.assert_close(both.waveforms(torch.tensor([3])), second.waveforms(torch.tensor([1])))
    assert both.other_voices is not None and both.other_voices[:, 0, 0].tolist() == [2, 2, 3, 3, 3]
    assert both.texts[4]["text"] == second.texts[2]["text"]


def test_sets_of_different_kinds_do_not_join(tmp_path: Path) -> None:
    with_voices, without = write_clips(tmp_path / "a", 2), write_clips(tmp_path / "b", 2)
    np.save(with_voices / "voices.npy", np.ones((2, 1, FRAMES * 640), np.int16))
    with pytest.raises(InputError, match="Only one of the two sets has other voices"):
        latent_set(with_voices).append(latent_set(without))


def tiny_autoencoder(seed: int = 0) -> MiniAutoencoder:
    torch.manual_seed(seed)
    return MiniAutoencoder(16, 1, (16, 8, 8), (1, 1, 1)).eval()


def encoded(folder: Path) -> dict[str, np.ndarray]:
    return {name: np.load(folder / f"{name}.npy") for name in ARRAYS}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_clips(tmp_path_factory.mktemp("clips"), 3, pictures=True)
    frames = np.load(folder / "frames.npy")
    frames[1] = frames[1, :1]  # a head held still
    np.save(folder / "frames.npy", frames)
    return folder


def test_latents_are_those_of_the_autoencoder_with_and_without_the_face(clips: Path, tmp_path: Path) -> None:
    vae = tiny_autoencoder()
    encode_dataset(clips, vae, tmp_path, "face")
    pictures = torch.from_numpy(np.load(clips / "frames.npy")).movedim(-1, 2).float() / 127.5 - 1
    found = encoded(tmp_path)
    with torch.no_grad():
        for row in range(3):
            torch.testing.assert_close(
                torch.from_numpy(found["target"][row]).float(), vae.encode(pictures[row]), rtol=0, atol=5e-3
            )
    assert (found["masked"][1] == found["masked"][1, :1]).all()
    assert not np.array_equal(found["masked"][0], found["target"][0])
    assert found["reference"].shape == (3, 2, 4, 16, 16)


def test_an_interrupted_encoding_goes_on_and_ends_with_the_same(clips: Path, tmp_path: Path) -> None:
    vae = tiny_autoencoder()
    encode_dataset(clips, vae, tmp_path, "face")
    whole = encoded(tmp_path)
    broken = np.load(tmp_path / "target.npy", mmap_mode="r+")
    broken[2] = 0
    broken[0] = 7  # finished rows are left alone
    (tmp_path / "rows.txt").write_text("0\n1\n")
    encode_dataset(clips, vae, tmp_path, "face")
    after = encoded(tmp_path)
    np.testing.assert_array_equal(after["target"][2], whole["target"][2])
    assert (after["target"][0] == 7).all()


def test_another_autoencoder_encodes_everything_anew(clips: Path, tmp_path: Path) -> None:
    encode_dataset(clips, tiny_autoencoder(0), tmp_path, "face")
    before = encoded(tmp_path)
    encode_dataset(clips, tiny_autoencoder(1), tmp_path, "face")
    after = encoded(tmp_path)
    assert not any(np.array_equal(before["target"][row], after["target"][row]) for row in range(3))


def test_another_region_encodes_everything_anew(clips: Path, tmp_path: Path) -> None:
    vae = tiny_autoencoder()
    encode_dataset(clips, vae, tmp_path, "face")
    whole = encoded(tmp_path)
    encode_dataset(clips, vae, tmp_path, "lower_face")
    lower = encoded(tmp_path)
    np.testing.assert_array_equal(lower["target"], whole["target"])
    assert not np.array_equal(lower["masked"], whole["masked"])


@pytest.mark.slow
def test_two_workers_encode_the_same(clips: Path, tmp_path: Path) -> None:
    vae = tiny_autoencoder()
    encode_dataset(clips, vae, tmp_path / "one", "face")
    encode_dataset(clips, vae, tmp_path / "two", "face", workers=2)
    for name, values in encoded(tmp_path / "one").items():
        np.testing.assert_allclose(values, np.load(tmp_path / "two" / f"{name}.npy"), atol=2e-3)


@pytest.fixture
def stills(tmp_path: Path) -> Path:
    """Two people, each in one colour of their own, darker at rest."""
    folder = tmp_path / "stills"
    folder.mkdir()
    count = 2 * MOMENTS_PER_STILL_PERSON
    shades = np.repeat([[60], [180]], MOMENTS_PER_STILL_PERSON)
    np.save(
        folder / "stills.npy",
        np.broadcast_to(shades[:, None, None, None], (count, 32, 32, 3)).astype("uint8"),
    )
    np.save(
        folder / "calm.npy",
        np.broadcast_to(np.reshape([50, 170], (2, 1, 1, 1)), (2, 32, 32, 3)).astype("uint8"),
    )
    np.save(folder / "params.npy", shades[:, None].astype(np.float32))
    np.save(folder / "openings.npy", shades.astype(np.float32))
    ParameterLayout(("shade",)).write(folder)
    return folder


def test_a_still_comes_beside_its_own_person_at_rest(stills: Path, tmp_path: Path) -> None:
    vae = tiny_autoencoder()
    encode_stills(stills, vae, tmp_path / "latents")
    encoded = LatentStills(tmp_path / "latents", stills)
    faces = encoded.draw(20, torch.Generator().manual_seed(0))
    assert len(encoded) == 12 and faces.target.shape == (20, 4, 4, 4)
    for target, reference, params in zip(faces.target, faces.reference, faces.params, strict=True):
        for latents, shade in ((target, float(params[0])), (reference, float(params[0]) - 10)):
            with torch.no_grad():
                wanted = vae.encode(torch.full((1, 3, 32, 32), shade / 127.5 - 1))[0]
            torch.testing.assert_close(latents, wanted, rtol=0, atol=5e-3)


def test_stills_are_encoded_once_for_an_autoencoder(stills: Path, tmp_path: Path) -> None:
    folder = tmp_path / "latents"
    encode_stills(stills, tiny_autoencoder(0), folder)
    (folder / "calm.npy").write_bytes(b"kept")
    encode_stills(stills, tiny_autoencoder(0), folder)
    assert (folder / "calm.npy").read_bytes() == b"kept"
    encode_stills(stills, tiny_autoencoder(1), folder)
    assert (folder / "calm.npy").read_bytes() != b"kept"


def test_stills_that_are_not_encoded_are_refused_with_what_to_do(stills: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="eadnet.training encode"):
        LatentStills(tmp_path / "latents", stills)


def test_faces_join_in_order() -> None:
    one, two = (Faces(*(torch.full((n, 1), float(n)) for _ in range(4))) for n in (1, 2))
    assert Faces.joined([one, two]).openings.flatten().tolist() == [1, 2, 2]


def without_parameters(folder: Path) -> Path:
    for name in ("params.npy", "openings.npy", "parameters.json"):
        (folder / name).unlink()
    return folder


def test_clips_without_facial_parameters_are_read_and_drawn(tmp_path: Path) -> None:
    data = latent_set(without_parameters(write_clips(tmp_path, 2)))
    assert data.params is None and data.openings is None and data.layout is None
    batch = data.draw(2, 4, torch.Generator().manual_seed(0)).to(torch.device("cpu"))
    assert batch.target.shape == (2, 4, 4, 16, 16) and batch.params is None and batch.openings is None


def test_the_same_windows_are_drawn_with_and_without_parameters(tmp_path: Path) -> None:
    known, unknown = write_clips(tmp_path / "a", 3), without_parameters(write_clips(tmp_path / "b", 3))
    batches = [latent_set(f).draw(5, 4, torch.Generator().manual_seed(1)) for f in (known, unknown)]
    assert torch.equal(batches[0].target, batches[1].target) and batches[0].params is not None


def test_parameters_without_names_are_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = write_clips(tmp_path, 2)
    (folder / "parameters.json").unlink()
    with pytest.raises(InputError, match="no parameters.json that names them"):
        latent_set(folder)


def test_sets_with_and_without_parameters_or_with_other_names_do_not_join(tmp_path: Path) -> None:
    known, unknown = write_clips(tmp_path / "a", 2), without_parameters(write_clips(tmp_path / "b", 2))
    with pytest.raises(InputError, match="Only one of the two sets has params"):
        latent_set(known).append(latent_set(unknown))
    other = write_clips(tmp_path / "c", 2)
    ParameterLayout(("x",)).write(other)
    with pytest.raises(InputError, match="other facial parameters"):
        latent_set(known).append(latent_set(other))
