"""Random weights of the real image-to-3D networks, made with the classes of their checkouts and saved as published.

All weights are random except those with which the decoder turns a position into the value of its field: they are
fitted so that the field's surface is the body of a vase, roughened by the random rest of the network. Random fields
alone have surfaces like sponges, of many times the usual number of points, and no gate accepts them.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml

Size = Literal["published", "tiny"]

HEIGHT = 1.8
"""Height of the vase in the coordinates of the networks, which reach from -1 to 1."""
_STEEPNESS = 200.0
"""Factor from the squared distance to the axis, less that of the wall, to the field's value."""
_ROUGHNESS = 0.02
"""Factor on the random layers that add to the fitted one."""


def save_triposg(checkout: Path, weights: Path, profile: np.ndarray, size: Size, device: str = "cpu") -> int:
    """Writes weights of TripoSG, as `TripoSGPipeline.from_pretrained` reads them; returns the number of parameters.

    profile: radius and height from foot to lip, in heights, float64 [N, 2].
    """
    _importable(checkout)
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model
    from triposg.models.autoencoders import TripoSGVAEModel  # pyright: ignore[reportMissingImports]
    from triposg.models.transformers import TripoSGDiTModel  # pyright: ignore[reportMissingImports]
    from triposg.pipelines.pipeline_triposg import TripoSGPipeline  # pyright: ignore[reportMissingImports]
    from triposg.schedulers import RectifiedFlowScheduler  # pyright: ignore[reportMissingImports]

    small = size == "tiny"
    vision = _vision(64, 2, 4, 56) if small else _vision(1024, 24, 16, 518)
    torch.manual_seed(0)
    with torch.device(device):
        vae = TripoSGVAEModel(
            **(dict(width_encoder=64, width_decoder=64, num_layers_encoder=1, num_layers_decoder=1) if small else {})
        )
        transformer = TripoSGDiTModel(
            cross_attention_dim=vision["hidden_size"],
            **(dict(num_attention_heads=4, width=64, num_layers=3) if small else {}),
        )
        encoder = Dinov2Model(Dinov2Config(**vision))
    decoder, last = vae.decoder, vae.decoder.blocks[-1]
    _fit(vae.embedder, decoder.proj_query, decoder.proj_out, -1, profile)
    _quieten(last.attn2.to_out[0], last.ff.net[2])
    pipeline = TripoSGPipeline(
        vae=vae,
        transformer=transformer,
        scheduler=RectifiedFlowScheduler(),
        image_encoder_dinov2=encoder,
        feature_extractor_dinov2=BitImageProcessor(
            size={"shortest_edge": 64 if small else 256},
            crop_size={"height": 56, "width": 56} if small else {"height": 224, "width": 224},
        ),
    )
    pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(str(weights))
    return _num_parameters(vae, transformer, encoder)


def save_hunyuan3d(checkout: Path, weights: Path, profile: np.ndarray, size: Size, device: str = "cpu") -> int:
    """Writes weights of Hunyuan3D-2 or 2.1, by the checkout's layout, into the published subfolder of `weights`;
    returns the number of parameters. `profile`: see `save_triposg`."""
    newer = (checkout / "hy3dshape").is_dir()
    _importable(checkout / "hy3dshape" if newer else checkout)
    package = "hy3dshape" if newer else "hy3dgen.shapegen"
    folder = weights / ("hunyuan3d-dit-v2-1" if newer else "hunyuan3d-dit-v2-0")
    folder.mkdir(parents=True)
    config = _hunyuan3d_config(package, newer, size == "tiny")
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    if newer:
        from hy3dshape.pipelines import instantiate_from_config  # pyright: ignore[reportMissingImports]
    else:
        from hy3dgen.shapegen.pipelines import instantiate_from_config  # pyright: ignore[reportMissingImports]
    torch.manual_seed(0)
    with torch.device(device):
        parts = {name: instantiate_from_config(config[name]) for name in ("model", "vae", "conditioner")}
    decoder = parts["vae"].geo_decoder
    _fit(decoder.fourier_embedder, decoder.query_proj, decoder.output_proj, 1, profile)
    _quieten(decoder.cross_attn_decoder.attn.c_proj, decoder.cross_attn_decoder.mlp.c_proj)
    states = {name: {key: value.half() for key, value in part.state_dict().items()} for name, part in parts.items()}
    if newer:
        torch.save(states, folder / "model.fp16.ckpt")
    else:
        from safetensors.torch import save_file

        flat = {f"{name}.{key}": value.contiguous() for name, state in states.items() for key, value in state.items()}
        save_file(flat, folder / "model.fp16.safetensors")
    return _num_parameters(*parts.values())


def _hunyuan3d_config(package: str, newer: bool, small: bool) -> dict[str, Any]:
    """Returns the content of config.yaml; the published sizes are those of the checkouts' training configurations."""
    vision = _vision(64, 2, 4, 56) if small else _vision(1024, 24, 16, 518) if newer else _vision(1536, 40, 24, 518)
    num_latents = 64 if small else 4096 if newer else 3072
    vae = {"num_latents": num_latents, "embed_dim": 64, "num_freqs": 8, "include_pi": False, "heads": 16}
    vae |= {"width": 1024, "num_encoder_layers": 8, "num_decoder_layers": 16, "qkv_bias": False, "qk_norm": True}
    if newer:
        model = {"input_size": num_latents, "in_channels": 64, "hidden_size": 2048, "depth": 21, "num_heads": 16}
        model |= {
            "context_dim": vision["hidden_size"],
            "qk_norm": True,
            "text_len": (vision["image_size"] // 14) ** 2 + 1,
        }
        model |= {"with_decoupled_ca": False, "use_attention_pooling": False, "qk_norm_type": "rms", "qkv_bias": False}
        model |= {"use_pos_emb": False, "num_moe_layers": 6, "num_experts": 8, "moe_top_k": 2}
        model |= {"hidden_size": 64, "depth": 3, "num_heads": 4, "num_moe_layers": 1} if small else {}
        vae["point_feats"] = 4
    else:
        model = {"in_channels": 64, "context_in_dim": vision["hidden_size"], "hidden_size": 1024, "mlp_ratio": 4.0}
        model |= {"num_heads": 16, "depth": 16, "depth_single_blocks": 32, "axes_dim": [64], "qkv_bias": True}
        model |= (
            {"hidden_size": 64, "num_heads": 4, "depth": 1, "depth_single_blocks": 1, "axes_dim": [16]} if small else {}
        )
    vae |= {"heads": 4, "width": 64, "num_encoder_layers": 1, "num_decoder_layers": 1} if small else {}
    image_encoder = {"type": "DinoImageEncoder", "kwargs": {"config": vision, "image_size": vision["image_size"]}}
    denoiser = "denoisers.hunyuandit.HunYuanDiTPlain" if newer else "Hunyuan3DDiT"
    return {
        "model": {"target": f"{package}.models.{denoiser}", "params": model},
        "vae": {"target": f"{package}.models.{'autoencoders.' if newer else ''}ShapeVAE", "params": vae},
        "conditioner": {
            "target": f"{package}.models.{'conditioner.' if newer else ''}SingleImageEncoder",
            "params": {"main_image_encoder": image_encoder},
        },
        "image_processor": {"target": f"{package}.preprocessors.ImageProcessorV2", "params": {"size": 512}},
        "scheduler": {
            "target": f"{package}.schedulers.FlowMatchEulerDiscreteScheduler",
            "params": {"num_train_timesteps": 1000},
        },
    }


def _vision(hidden_size: int, num_layers: int, num_heads: int, image_size: int) -> dict[str, Any]:
    """Returns the configuration of a DINOv2 image encoder; the largest has gated layers."""
    return {
        "hidden_size": hidden_size,
        "num_hidden_layers": num_layers,
        "num_attention_heads": num_heads,
        "image_size": image_size,
        "patch_size": 14,
        "use_swiglu_ffn": hidden_size == 1536,
    }


@torch.no_grad()
def _fit(
    embed: Callable[[torch.Tensor], torch.Tensor],
    into: torch.nn.Linear,
    out: torch.nn.Linear,
    sign: int,
    profile: np.ndarray,
) -> None:
    """Sets the layers before and after the decoder's attention so that sign x output is positive inside the vase.

    One channel becomes the field, a linear function of the embedded position. Two others are large and constant, so
    that the layer norms between the layers only scale.
    """
    device, width, large = into.weight.device, into.out_features, 32.0
    points = torch.rand(40_000, 3, generator=torch.Generator().manual_seed(0)) * 2.02 - 1.01
    height = (points[:, 1].numpy() / HEIGHT) + 0.5
    radius = np.interp(height, profile[:, 1], profile[:, 0], left=0.0, right=0.0) * HEIGHT
    beyond = np.maximum(np.maximum(-height, height - 1), 0)
    field = radius**2 - 4 * beyond - (points[:, ::2] ** 2).sum(1).numpy()
    known = embed(points.to(device)).double().cpu()
    known = torch.cat([known, torch.ones(len(known), 1, dtype=torch.float64)], 1)
    ridge = 1e-4 * len(known) * torch.eye(known.shape[1], dtype=torch.float64)
    fitted = torch.linalg.solve(known.T @ known + ridge, known.T @ torch.from_numpy(field).double())
    assert into.bias is not None
    into.weight.mul_(0.1)
    into.weight[:3], into.bias[0], into.bias[1], into.bias[2] = 0, large, -large, fitted[-1]
    into.weight[2] = fitted[:-1].to(into.weight)
    out.weight.mul_(_ROUGHNESS)
    out.bias.zero_()
    out.weight[:, :3] = 0
    out.weight[:, 2] = sign * _STEEPNESS * large * (2 / width) ** 0.5


@torch.no_grad()
def _quieten(*layers: torch.nn.Linear) -> None:
    for layer in layers:
        layer.weight.mul_(_ROUGHNESS)
        if layer.bias is not None:
            layer.bias.mul_(_ROUGHNESS)


def _num_parameters(*parts: torch.nn.Module) -> int:
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def _importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
