"""Core's nodes tried on our MODEL in a real server: what each does, beside EAD-Net Lip Sync Sampler.

    python -m benchmarks native [--arguments=--lowvram]

One prompt for each, with the bundled mini, 20 frames and the noise of one seed. The number is the largest
difference of the latents from those of EAD-Net Lip Sync Sampler at the same settings (their standard
deviation is about 1): nodes that mean the same are at rounding, others show that they do something.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from eadnet.checkpoints import bundled_mini, load_checkpoint
from tests.comfy.client import Client, Failed, Refused, TimedOut, write_speech
from tests.in_comfy import MISSING, ROOT, TREE, has_comfy
from tools.comfyui import ComfyUI, link_pack, make_base
from tools.server import Server
from tools.workflow import load_workflow

Graph = dict[str, dict[str, Any]]
NATIVE: Graph = load_workflow(ROOT / "workflows" / "api" / "cores_sampler.json")
OURS: Graph = load_workflow(ROOT / "workflows" / "api" / "talking_portrait_in_parts.json")
AUDIO_CFG, EMOTION_CFG, SEED, STEPS = 1.5, 2.0, 7, 4
LORA, FOREIGN = "ours.safetensors", "foreign.safetensors"


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def saved(graph: Graph, sampler: str, name: str) -> Graph:
    """The graph up to a sampler, whose latents are saved."""
    kept = {number: copy.deepcopy(part) for number, part in graph.items() if int(number) <= int(sampler)}
    kept["2"]["inputs"]["audio"] = "speech.wav"
    kept["save"] = node("SaveLatent", samples=[sampler, 0], filename_prefix=name)
    return kept


def reference(scheduler: str = "ddim", **changes: Any) -> Graph:
    graph = saved(OURS, "7", "reference")
    settings = {"seed": SEED, "steps": STEPS, "audio_guidance": AUDIO_CFG, "scheduler": scheduler}
    graph["7"]["inputs"] |= {**settings, "emotion_guidance": EMOTION_CFG, **changes}
    return graph


def native(name: str, patch: Graph | None = None, guider: Any = None, **changes: Mapping[str, Any]) -> Graph:
    """SamplerCustomAdvanced, with a chain of patches between our MODEL and the guider (the last is "patch"),
    with another guider, and with changed inputs by node.
    """
    graph = saved(NATIVE, "11", name)
    graph["9"]["inputs"] |= {"seed": SEED, "steps": STEPS}
    graph["10"]["inputs"] |= {"cfg_conds": EMOTION_CFG, "cfg_cond2_negative": AUDIO_CFG}
    graph |= patch or {}
    if guider is not None:
        graph["10"] = guider
    if patch:
        graph["10"]["inputs"]["model"] = ["patch", 0]
    for number, inputs in changes.items():
        graph[number.removeprefix("n")]["inputs"] |= inputs
    return graph


def ksampler(name: str, kind: str = "KSampler", **changes: Any) -> Graph:
    graph = native(name)
    common = {
        "model": ["7", 0], "positive": ["8", 0], "negative": ["8", 2], "latent_image": ["8", 3],
        "steps": STEPS, "cfg": AUDIO_CFG, "sampler_name": "euler", "scheduler": "sgm_uniform",
    }  # fmt: skip
    own: dict[str, Any] = {"seed": SEED, "denoise": 1.0}
    if kind == "KSamplerAdvanced":
        own = {"add_noise": "enable", "noise_seed": SEED, "start_at_step": 0, "end_at_step": 10000}
        own["return_with_leftover_noise"] = "disable"
    graph["11"] = node(kind, **(common | own | changes))
    return graph


def patched(kind: str, **inputs: Any) -> Graph:
    return {"patch": node(kind, model=["7", 0], **inputs)}


def windows(dim: int = 0, schedule: str = "standard_static") -> Graph:
    return patched(
        "ContextWindowsManual", context_length=8, context_overlap=2, context_schedule=schedule,
        context_stride=1, closed_loop=False, fuse_method="pyramid", dim=dim, freenoise=False,
        causal_window_fix=False, split_conds_to_windows=False,
        cond_retain_index_list="", latent_retain_index_list="",
    )  # fmt: skip


def cases() -> list[tuple[str, str, Graph]]:
    """(what, which reference, graph)."""
    same, euler, other = "ddim", "euler", "ddim"
    guided = {"positive": ["8", 0], "negative": ["8", 2], "model": ["7", 0]}
    both = node("CFGGuider", cfg=1.5, **guided)
    alone = node("BasicGuider", model=["7", 0], conditioning=["8", 0])
    sde = {"sampler_name": "dpmpp_2m_sde", "scheduler": "karras"}
    rows = [
        ("EAD-Net Custom Sampling, ddim; DualCFGGuider regular", same, native("dual")),
        ("the same, nested", other, native("nested", n10={"style": "nested"})),
        ("EAD-Net Custom Sampling, euler", euler, native("euler", n9={"scheduler": "euler"})),
        ("EAD-Net Custom Sampling, dpmpp_2m", "dpmpp_2m", native("dpm", n9={"scheduler": "dpmpp_2m"})),
        ("EAD-Net Custom Sampling, lcm", "lcm", native("lcm", n9={"scheduler": "lcm"})),
        ("CFGGuider (audio and emotion in one)", other, native("cfg", None, both)),
        ("BasicGuider", other, native("basic", None, alone)),
        ("KSampler, euler, sgm_uniform", euler, ksampler("ksampler")),
        ("KSampler, dpmpp_2m_sde, karras", other, ksampler("sde", **sde)),
        ("KSamplerAdvanced", euler, ksampler("advanced", "KSamplerAdvanced")),
    ]  # fmt: skip
    for name in ("euler", "heun", "dpmpp_2m", "uni_pc", "lcm", "euler_ancestral", "deis"):
        chosen = {"select": node("KSamplerSelect", sampler_name=name)}
        graph = native("select_" + name, None, None, n9={"scheduler": "euler"}) | chosen
        graph["11"]["inputs"]["sampler"] = ["select", 0]
        rows.append((f"KSamplerSelect, {name}, on our sigmas", euler, graph))
    random = native("random") | {"random": node("RandomNoise", noise_seed=SEED)}
    random["11"]["inputs"]["noise"] = ["random", 0]
    rows.append(("RandomNoise", other, random))
    basic = native("basic_scheduler", n9={"scheduler": "euler"}) | {
        "steps": node("BasicScheduler", model=["7", 0], scheduler="sgm_uniform", steps=STEPS, denoise=1.0),
        "select": node("KSamplerSelect", sampler_name="euler"),
    }
    basic["11"]["inputs"] |= {"sampler": ["select", 0], "sigmas": ["steps", 0]}
    rows.append(("BasicScheduler, sgm_uniform, and KSamplerSelect, euler", euler, basic))
    lora = patched("LoraLoaderModelOnly", lora_name=LORA, strength_model=1.0)
    none = patched("LoraLoaderModelOnly", lora_name=LORA, strength_model=0.0)
    compiled = patched("TorchCompileModel", backend="inductor")
    velocity, noise = (
        patched("ModelSamplingDiscrete", sampling=kind, zsnr=False) for kind in ("v_prediction", "eps")
    )
    cached = {"reuse_threshold": 0.2, "start_percent": 0.15, "end_percent": 0.95, "verbose": False}
    patches: list[tuple[str, Graph]] = [
        ("Context Windows (Manual), standard_static, dim 0", windows()),
        ("Context Windows (Manual), looped_uniform, dim 0", windows(schedule="looped_uniform")),
        ("Context Windows (Manual), dim 2", windows(dim=2)),
        ("Load LoRA (Model only), strength 1", lora),
        ("Load LoRA (Model only), strength 0", none),
        ("Load LoRA of another model", patched("LoraLoaderModelOnly", lora_name=FOREIGN, strength_model=1.0)),
        ("ModelSamplingDiscrete, v_prediction", velocity),
        ("ModelSamplingDiscrete, eps", noise),
        ("RescaleCFG", patched("RescaleCFG", multiplier=0.7)),
        ("CFGZeroStar", patched("CFGZeroStar")),
        ("FreeU_V2", patched("FreeU_V2", b1=1.3, b2=1.4, s1=0.9, s2=0.2)),
        ("PerturbedAttentionGuidance", patched("PerturbedAttentionGuidance", scale=3.0)),
        ("HyperTile", patched("HyperTile", tile_size=256, swap_size=2, max_depth=0, scale_depth=False)),
        ("EasyCache", patched("EasyCache", **cached)),
        ("Epsilon Scaling", patched("Epsilon Scaling", scaling_factor=1.005)),
        ("ModelMergeSimple with itself", patched_pair("ModelMergeSimple", ratio=0.5)),
    ]  # fmt: skip
    for what, patch in patches:
        rows.append((what, same, native("p" + str(len(rows)), patch)))
    eight = native("fp8")
    eight["3"]["inputs"]["weight_dtype"] = "fp8_e4m3fn"
    rows.append(("weight_dtype fp8_e4m3fn", same, eight))
    rows.append(("TorchCompileModel, inductor", same, native("compiled", compiled)))
    return rows


def patched_pair(kind: str, **inputs: Any) -> Graph:
    return {"patch": node(kind, model1=["7", 0], model2=["7", 0], **inputs)}


def write_loras(folder: Path) -> None:
    """A LoRA of random numbers for mini, and one for something else."""
    unet = load_checkpoint(bundled_mini(), only={"unet"}).component("unet")
    generator = torch.Generator().manual_seed(0)
    pairs = {}
    for name, weight in unet.state_dict().items():
        if name.endswith(("to_v.weight", "to_qkv.weight")):
            stem = f"diffusion_model.{name.removesuffix('.weight')}"
            pairs[f"{stem}.lora_A.weight"] = torch.randn(4, weight.shape[1], generator=generator) * 0.05
            pairs[f"{stem}.lora_B.weight"] = torch.randn(weight.shape[0], 4, generator=generator) * 0.5
    save_file(pairs, folder / LORA)
    other = {"lora_unet_joint_blocks_0_x_block_attn_qkv.lora_up.weight": torch.zeros(8, 2)}
    other["lora_unet_joint_blocks_0_x_block_attn_qkv.lora_down.weight"] = torch.zeros(2, 8)
    save_file(other, folder / FOREIGN)


def latents(client: Client, graph: Graph, output: Path) -> torch.Tensor:
    """What a graph samples."""
    before = set(output.rglob("*.latent"))
    client.run(graph)
    (path,) = set(output.rglob("*.latent")) - before
    return load_file(path)["latent_tensor"]


def outcome(client: Client, graph: Graph, output: Path, wanted: torch.Tensor) -> str:
    """What came of a prompt: the largest difference, or what was said."""
    if missing := {part["class_type"] for part in graph.values()} - set(client.get("/object_info")):
        return f"this core has no {', '.join(sorted(missing))}"
    try:
        result = latents(client, graph, output)
    except TimedOut:
        return "nothing for 300 s"
    except Refused as error:
        return f"refused: {str(error)[:160]}"
    except Failed as error:
        said = str(error.data.get("exception_message", error)).strip().splitlines()[0][:200]
        return f"{error.data.get('node_type')}: {error.data.get('exception_type')}: {said}"
    return f"{(result - wanted).abs().max():.2g}"


def measured(folder: Path, arguments: list[str], some: list[str]) -> list[tuple[str, str]]:
    base = folder / "base"
    make_base(base)
    (base / "models" / "loras").mkdir(parents=True, exist_ok=True)
    write_loras(base / "models" / "loras")
    write_speech(base / "input" / "speech.wav", 0.8)
    comfy = ComfyUI(TREE, Path(sys.executable), base)
    link_pack(ROOT, comfy.custom_nodes, ours=True)
    rows = []
    with Server(comfy, folder / "server.log", arguments=arguments) as server:
        client = Client(server.port)
        version = client.get("/system_stats")["system"]["comfyui_version"]
        rows.append(
            (f"ComfyUI {version} {' '.join(arguments)}".strip(), "largest difference, or what is said")
        )
        wanted: dict[str, torch.Tensor] = {}
        for what, scheduler, graph in cases():
            if some and not any(word in what for word in some):
                continue
            if scheduler not in wanted:
                wanted[scheduler] = latents(client, reference(scheduler), base / "output")
            rows.append((what, outcome(client, graph, base / "output", wanted[scheduler])))
            print(f"| {rows[-1][0]} | {rows[-1][1]} |", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arguments", default="", help="of the server, for instance --lowvram")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="rows with it alone")
    parser.add_argument("--write", action="store_true", help="record the table in benchmarks/results")
    options = parser.parse_args()
    if not has_comfy():
        raise SystemExit(MISSING)
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(Path(folder), options.arguments.split(), options.only)
    head, *body = (f"| {what} | {said} |" for what, said in rows)
    table = "\n".join([head, "|---|---|", *body])
    if options.write:
        path = ROOT / "benchmarks" / "results" / "native.md"
        path.write_text(f"{__doc__.split(chr(10))[0]}\n\n{table}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
