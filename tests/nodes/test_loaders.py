from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from eadnet.adapters import save_adapter
from eadnet.checkpoints import save_checkpoint
from eadnet.modules.unet import EADUNet
from eadnet.modules.whisper import WhisperEncoder
from eadnet.presets import PRESETS
from eadnet.training.on_set import OnSet
from eadnet.training.recipes.adapter import train_adapter
from tests.test_convert import whisper_file
from tests.tiny import UNET, tiny_components
from tests.training.prepared_world import noise_crops, tiny_preset, write_networks, write_prepared

Run = Callable[..., tuple[Any, ...]]


def test_the_bundled_checkpoint_comes_first_and_the_users_files_follow(nodes: Any, tiny: str) -> None:
    options = nodes.EADNetCheckpointLoader.define_schema().inputs[0].options
    assert options[0] == "mini.safetensors"
    assert tiny in options[1:]


def test_only_safetensors_are_offered(host: Any, model_folder: Path) -> None:
    (model_folder / "latentsync_unet.pt").write_bytes(b"PK")
    assert not [name for name in host.checkpoint_names() if not name.endswith(".safetensors")]


def test_files_that_find_faces_are_not_offered_as_models(host: Any, model_folder: Path) -> None:
    (model_folder / "faces").mkdir(exist_ok=True)
    landmarker = model_folder / "faces" / "face_landmarker.safetensors"
    landmarker.write_bytes(b"")
    (model_folder / "other").mkdir(exist_ok=True)
    (model_folder / "other" / "mine.safetensors").write_bytes(b"")
    names = [Path(name).name for name in host.checkpoint_names()]
    landmarker.unlink()
    assert landmarker.name not in names and "mine.safetensors" in names
    (model_folder / "other" / "mine.safetensors").unlink()


def test_every_part_of_the_file_comes_out(loaded: Any) -> None:
    assert loaded.model.info.resolution == 32
    assert loaded.model.info.mask_region == "face"
    assert loaded.model.info.latent_scale == 1.0
    for part in (loaded.model.network, loaded.audio_encoder, loaded.text_encoder, loaded.tfrm.network):
        assert isinstance(part.use(), torch.nn.Module)


def test_a_part_the_file_lacks_is_named_when_it_is_used(loaded: Any, input_error: type[Exception]) -> None:
    with pytest.raises(
        input_error, match="tiny.safetensors has no SyncNet: choose a checkpoint that has one"
    ):
        loaded.syncnet.use()


@pytest.mark.slow
def test_a_file_without_autoencoder_sends_to_cores_vae_loader(
    nodes: Any, run: Run, model_folder: Path, input_error: type[Exception]
) -> None:
    info = {**PRESETS["latentsync-1.5"].info(), "resolution": 32}
    save_checkpoint(model_folder / "no_vae.safetensors", {"unet": tiny_components()["unet"]}, info)
    model, *_, vae, _tfrm, _syncnet = run(nodes.EADNetCheckpointLoader, checkpoint="no_vae.safetensors")
    with pytest.raises(input_error, match="Load VAE with the Stable Diffusion 1.5"):
        vae.decode(torch.zeros(1, 4, 4, 4))
    assert model.info.latent_scale == pytest.approx(0.18215)


def test_a_missing_file_is_refused_with_the_folder(nodes: Any, model_folder: Path) -> None:
    message = nodes.EADNetCheckpointLoader.validate_inputs("nothing.safetensors")
    assert "nothing.safetensors" in message and str(model_folder) in message


def test_a_missing_bundled_checkpoint_is_named(nodes: Any, submodule: Callable[[str], Any]) -> None:
    problem = nodes.EADNetCheckpointLoader.validate_inputs("mini.safetensors")
    there = (Path(submodule("eadnet").__file__).parent / "assets" / "mini.safetensors").is_file()
    assert problem is True if there else "install the package again" in problem


def test_a_truncated_file_is_refused(nodes: Any, model_folder: Path, tiny: str) -> None:
    whole = (model_folder / tiny).read_bytes()
    (model_folder / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "truncated" in nodes.EADNetCheckpointLoader.validate_inputs("cut.safetensors")


def test_a_foreign_file_is_refused(nodes: Any, model_folder: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(1)}, model_folder / "foreign.safetensors")
    assert "without EAD-Net's header" in nodes.EADNetCheckpointLoader.validate_inputs("foreign.safetensors")


def test_a_good_file_passes(nodes: Any, tiny: str) -> None:
    assert nodes.EADNetCheckpointLoader.validate_inputs(tiny) is True


def test_a_replaced_file_is_loaded_again(nodes: Any, model_folder: Path) -> None:
    path = model_folder / "replaced.safetensors"
    path.write_bytes(b"one")
    before = nodes.EADNetCheckpointLoader.fingerprint_inputs("replaced.safetensors")
    assert nodes.EADNetCheckpointLoader.fingerprint_inputs("replaced.safetensors") == before
    path.write_bytes(b"another")
    assert nodes.EADNetCheckpointLoader.fingerprint_inputs("replaced.safetensors") != before
    path.unlink()


class TestAutoencoder:
    def test_it_is_cores_vae(self, loaded: Any) -> None:
        import comfy.sd

        assert isinstance(loaded.vae, comfy.sd.VAE)

    def test_pictures_become_latents_of_an_eighth(self, loaded: Any) -> None:
        assert loaded.vae.encode(torch.rand(3, 32, 40, 3)).shape == (3, 4, 4, 5)

    def test_sides_are_cut_to_multiples_of_eight_and_alpha_is_dropped(self, loaded: Any) -> None:
        pictures = torch.rand(1, 37, 32, 4)
        assert torch.equal(loaded.vae.encode(pictures), loaded.vae.encode(pictures[:, 2:34, :, :3]))

    def test_latents_become_pictures(self, loaded: Any) -> None:
        pictures = loaded.vae.decode(torch.randn(2, 4, 4, 5))
        assert pictures.shape == (2, 32, 40, 3)
        assert 0 <= pictures.min() and pictures.max() <= 1

    def test_it_computes_what_the_module_computes(self, loaded: Any) -> None:
        pictures = torch.rand(1, 32, 32, 3)
        expected = loaded.vae.first_stage_model.encode(pictures.movedim(-1, 1) * 2 - 1)
        torch.testing.assert_close(loaded.vae.encode(pictures), expected)

    def test_video_latents_of_one_frame_are_taken(self, loaded: Any) -> None:
        latents = torch.randn(2, 4, 1, 4, 4)
        assert torch.equal(loaded.vae.decode(latents), loaded.vae.decode(latents[:, :, 0]))

    def test_tiled_nodes_get_the_same(self, loaded: Any) -> None:
        latents = torch.randn(1, 4, 4, 4)
        tiled = loaded.vae.decode_tiled(
            latents, tile_x=64, tile_y=64, overlap=16, tile_t=None, overlap_t=None
        )
        assert torch.equal(tiled, loaded.vae.decode(latents))

    def test_memory_that_runs_out_is_answered_with_smaller_batches(
        self, loaded: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        decode, sizes = loaded.vae.first_stage_model.decode, []

        def small_only(latents: torch.Tensor) -> torch.Tensor:
            sizes.append(len(latents))
            if len(latents) > 2:
                raise torch.cuda.OutOfMemoryError("out of memory")
            return decode(latents)

        monkeypatch.setattr(loaded.vae.first_stage_model, "decode", small_only)
        assert loaded.vae.decode(torch.randn(5, 4, 4, 4)).shape[0] == 5
        assert sizes[0] == 5 and max(sizes[1:]) <= 2


@pytest.fixture(scope="module")
def latentsync(model_folder: Path) -> dict[str, Any]:
    """A small LatentSync pair and adapters, as `eadnet convert` and training would write them."""
    torch.manual_seed(3)
    whisper = {"n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 8, "n_audio_head": 2, "n_audio_layer": 2}
    header = {**PRESETS["latentsync-1.5"].info(), "resolution": 32}
    plain = EADUNet.from_config({key: value for key, value in UNET.items() if key != "ead"})
    save_checkpoint(model_folder / "sync_unet.safetensors", {"unet": plain}, header)
    for name, width in (("tiny", 8), ("large", 16)):
        encoder = WhisperEncoder.from_config({**whisper, "n_audio_state": width})
        save_checkpoint(model_folder / f"{name}_whisper.safetensors", {"audio_encoder": encoder}, {})
    whole = EADUNet.from_config(UNET)
    for weights in whole.state_dict().values():
        weights.normal_(std=0.1)
    save_adapter(model_folder / "sync_adapter.safetensors", whole, header)
    save_adapter(model_folder / "wide_adapter.safetensors", whole, {**header, "resolution": 512})
    return {"unet": "sync_unet.safetensors", "whisper": "tiny_whisper.safetensors", "adapter": "none"}


class TestPublishedFiles:
    """Weights as they are downloaded, in an installation with and without them."""

    @pytest.fixture(autouse=True)
    def files(self, host: Any, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        names: list[str] = []
        files = sys.modules[host.__name__ + ".files"]
        monkeypatch.setattr(files.folder_paths, "get_filename_list", lambda _: names)
        return names

    def test_a_hint_stands_where_no_file_is(self, nodes: Any) -> None:
        unet, whisper, *_ = nodes.EADNetLatentSyncLoader.define_schema().inputs
        assert unet.options == ["put latentsync_unet.pt into models/eadnet"]
        said = nodes.EADNetLatentSyncLoader.validate_inputs(unet.options[0], whisper.options[0], "none")
        assert "https://huggingface.co/ByteDance/LatentSync-1.6" in said and "tiny.pt is at https" in said
        assert "models/eadnet: put the file there" in said

    def test_published_files_are_offered_where_they_fit(self, nodes: Any, files: list[str]) -> None:
        files += ["a.safetensors", "latentsync_unet.pt", "tiny.pt", "faces/x.pt"]
        unet, whisper, *_ = nodes.EADNetLatentSyncLoader.define_schema().inputs
        assert unet.options == ["latentsync_unet.pt", "a.safetensors", "tiny.pt"]
        assert whisper.options[0] == "tiny.pt"

    def test_what_is_no_weights_file_is_told_before_a_run(self, nodes: Any, model_folder: Path) -> None:
        (model_folder / "page_unet.pt").write_bytes(b"<!doctype html>")
        said = nodes.EADNetLatentSyncLoader.validate_inputs("page_unet.pt", None, "none", "latentsync-1.6")
        assert "web page saved under that name" in said
        (model_folder / "page_unet.pt").unlink()

    def test_which_latentsync_it_is_must_be_said_once(self, nodes: Any, model_folder: Path) -> None:
        for name in ("latentsync_unet.pt", "latentsync-1.5/latentsync_unet.pt"):
            (model_folder / name).parent.mkdir(exist_ok=True)
            (model_folder / name).write_bytes(b"\x80")
        check = nodes.EADNetLatentSyncLoader.validate_inputs
        assert "choose it at version" in check("latentsync_unet.pt", None, "none", "auto")
        assert check("latentsync_unet.pt", None, "none", "latentsync-1.5") is True
        assert check("latentsync-1.5/latentsync_unet.pt", None, "none", "auto") is True
        assert "correct the choice" in check(
            "latentsync-1.5/latentsync_unet.pt", None, "none", "latentsync-1.6"
        )

    @pytest.mark.slow
    def test_they_load_as_they_are(
        self, nodes: Any, run: Run, model_folder: Path, submodule: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = {**UNET, "cross_attention_dim": 384}
        monkeypatch.setattr(submodule("eadnet.convert"), "LATENTSYNC_UNET", config)
        folder = model_folder / "latentsync-1.6"
        folder.mkdir(exist_ok=True)
        torch.save(EADUNet.from_config(config).state_dict(), folder / "latentsync_unet.pt")
        whisper_file(folder / "tiny.pt")
        inputs = {"unet": "latentsync-1.6/latentsync_unet.pt", "whisper": "latentsync-1.6/tiny.pt"}
        model, encoder = run(nodes.EADNetLatentSyncLoader, **inputs, adapter="none", version="auto")
        assert model.info.resolution == 512 and encoder.use().config["n_audio_state"] == 384
        made = sorted(path.name for path in folder.glob("*.safetensors"))
        assert made == ["latentsync-1.6.safetensors", "whisper-tiny.safetensors"]


class TestLatentSync:
    def test_likely_files_are_offered_first(self, nodes: Any, latentsync: dict[str, Any]) -> None:
        unet, whisper, adapter, *_ = nodes.EADNetLatentSyncLoader.define_schema().inputs
        assert "unet" in unet.options[0] and "whisper" in whisper.options[0]
        assert adapter.options[0] == "none" and "adapter" in adapter.options[1]

    def test_a_pair_loads_with_stable_diffusions_scale(
        self, nodes: Any, run: Run, latentsync: dict[str, Any]
    ) -> None:
        model, encoder = run(nodes.EADNetLatentSyncLoader, **latentsync)
        assert model.info.latent_scale == pytest.approx(0.18215)
        assert model.info.defaults["shared_noise"] == 1.0
        assert model.info.mask_region == "lower_face"
        assert encoder.use().config["n_audio_state"] == 8

    @pytest.mark.slow
    def test_what_the_recipe_trained_changes_the_latents_and_none_restores_them_bit_for_bit(
        self, nodes: Any, run: Run, model_folder: Path, tmp_path: Path
    ) -> None:
        files = write_networks(tmp_path)
        directory = write_prepared(tmp_path / "set", noise_crops(4))
        how = OnSet(steps=8, batch=2, window=8, rate=1e-2, average=0.5, validate_every=0, cpu=True)
        made = train_adapter(directory, tmp_path / "out", files, how, tiny_preset())
        for path, name in (
            (files.base, "trained_unet"), (files.whisper, "trained_whisper"), (made, "trained_adapter"),
        ):  # fmt: skip
            assert path is not None
            shutil.copy(path, model_folder / f"{name}.safetensors")
        names = {"unet": "trained_unet.safetensors", "whisper": "trained_whisper.safetensors"}

        def latents(adapter: str) -> torch.Tensor:
            model, _ = run(nodes.EADNetLatentSyncLoader, **names, adapter=adapter)
            generator = torch.Generator().manual_seed(0)
            sample, audio, emotion = (
                torch.randn(shape, generator=generator)
                for shape in ((1, 13, 4, 4, 4), (1, 4, 30, 8), (1, 8, 12))
            )
            with torch.no_grad():
                network = model.network.use()
                return network(sample, 500, audio, emotion if network.emotion_dim else None)

        before, adapted, after = (latents(name) for name in ("none", "trained_adapter.safetensors", "none"))
        assert (adapted - before).abs().max() > 1e-3
        assert torch.equal(before, after)

    @pytest.mark.slow
    def test_the_adapter_brings_emotion_and_leaves_the_rest_alone(
        self, nodes: Any, run: Run, latentsync: dict[str, Any]
    ) -> None:
        plain, _ = run(nodes.EADNetLatentSyncLoader, **latentsync)
        adapted, _ = run(
            nodes.EADNetLatentSyncLoader, **{**latentsync, "adapter": "sync_adapter.safetensors"}
        )
        before, after = plain.network.use().state_dict(), adapted.network.use().state_dict()
        assert adapted.network.use().emotion_dim == 12
        assert all(torch.equal(after[key], value) for key, value in before.items())
        assert any("emotion_attn" in key for key in after.keys() - before.keys())

    def test_whisper_of_another_size_is_refused(
        self, nodes: Any, run: Run, latentsync: dict[str, Any], checkpoint_error: type[Exception]
    ) -> None:
        with pytest.raises(
            checkpoint_error, match="large_whisper.safetensors gives tokens of width 16 .* needs 8"
        ):
            run(nodes.EADNetLatentSyncLoader, **{**latentsync, "whisper": "large_whisper.safetensors"})

    def test_an_adapter_of_another_resolution_is_refused(
        self, nodes: Any, run: Run, latentsync: dict[str, Any], checkpoint_error: type[Exception]
    ) -> None:
        with pytest.raises(checkpoint_error, match="trained at 512 pixels and the U-Net at 32"):
            run(nodes.EADNetLatentSyncLoader, **{**latentsync, "adapter": "wide_adapter.safetensors"})

    def test_a_whisper_file_as_unet_is_refused(
        self, nodes: Any, run: Run, latentsync: dict[str, Any], checkpoint_error: type[Exception]
    ) -> None:
        with pytest.raises(checkpoint_error, match="tiny_whisper.safetensors has no U-Net"):
            run(nodes.EADNetLatentSyncLoader, **{**latentsync, "unet": latentsync["whisper"]})
