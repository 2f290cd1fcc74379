"""The cut-out network: a small convolutional encoder and decoder, with attention where the picture is smallest.

Blocks are inverted residuals with depthwise convolutions (MobileNetV2, Sandler et al. 2018) and squeeze-excitation (Hu
et al. 2018). At a 32nd of the picture's size, two attention blocks let every place see every other: whether a grey
patch beside a handle is plaster or backdrop depends on the rest of the picture. The fourth input channel says where the
photograph is and where padding, so that "cut off by the frame" is visible.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from vaserl.meshes.cutout.views import VIEWS

STRIDE = 32
"""Width and height of an input must be multiples of this."""


class CutoutNet(nn.Module):
    """Maps pictures to logits of "vase" for each pixel and of what each picture shows."""

    def __init__(self, widths: Sequence[int] = (24, 32, 56, 112, 160), depths: Sequence[int] = (1, 2, 3, 4, 2)) -> None:
        """widths, depths: channels and number of blocks at a half, a quarter, … a 32nd of the picture's size."""
        super().__init__()
        self.stem = _ConvNorm(4, widths[0], 3, stride=2)
        stages, previous = [], widths[0]
        for level, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks: list[nn.Module] = []
            for k in range(depth):
                stride = 2 if k == 0 and level > 0 else 1
                expansion = 2 if level == 0 else 4
                kernel = 5 if level >= 2 else 3
                blocks.append(_Block(previous, width, kernel, stride, expansion, has_gate=level >= 2))
                previous = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.context = nn.Sequential(_Attention(widths[-1]), _Attention(widths[-1]))
        ups = []
        for level in range(len(widths) - 2, -1, -1):
            ups.append(_Up(widths[level + 1], widths[level]))
        self.ups = nn.ModuleList(ups)
        # four pixels of the picture become channels of one, so that the last layers work at half its size
        self.head = nn.Sequential(_ConvNorm(widths[0] + 16, 24, 3), nn.Conv2d(24, 4, 3, padding=1))
        self.views = nn.Sequential(
            nn.Linear(2 * widths[-1] + widths[-2], 128), nn.SiLU(), nn.Dropout(0.1), nn.Linear(128, len(VIEWS))
        )

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns logits of "vase", float [N, 1, H, W], and of the views, float [N, len(VIEWS)].

        pictures: three colours from -1 to 1 and 1 inside the photograph or 0 in the padding, float [N, 4, H, W]; H and
        W are multiples of `STRIDE`.
        """
        x = self.stem(pictures)
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        x = self.context(x)
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3)), skips[-2].mean((2, 3))], 1)
        for up, skip in zip(self.ups, skips[-2::-1], strict=True):
            x = up(x, skip)
        logits = self.head(torch.cat([x, F.pixel_unshuffle(pictures, 2)], 1))
        return F.pixel_shuffle(logits, 2), self.views(pooled)


class _ConvNorm(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.SiLU(inplace=True),
        )


class _Block(nn.Module):
    """An inverted residual."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, has_gate: bool) -> None:
        super().__init__()
        inner = inputs * expansion
        self.wide = _ConvNorm(inputs, inner, 1)
        self.deep = _ConvNorm(inner, inner, kernel, stride, groups=inner)
        self.gate = nn.Sequential(nn.Conv2d(inner, inputs // 4, 1), nn.SiLU(), nn.Conv2d(inputs // 4, inner, 1))
        if not has_gate:
            self.gate = None
        self.narrow = nn.Conv2d(inner, outputs, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.deep(self.wide(x))
        if self.gate is not None:
            y = y * torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        y = self.norm(self.narrow(y))
        return x + y if self.adds else y


class _Attention(nn.Module):
    """A transformer block over the places of a small picture; a depthwise convolution tells places apart."""

    def __init__(self, width: int, num_heads: int = 4) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.place = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.place(x)
        num, width, rows, columns = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        heads = self.mix(self.norms[0](tokens)).reshape(num, rows * columns, 3, self.num_heads, width // self.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        seen = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out(seen.transpose(1, 2).reshape(num, rows * columns, width))
        tokens = tokens + self.feed(self.norms[1](tokens))
        return tokens.transpose(1, 2).reshape(num, width, rows, columns)


class _Up(nn.Module):
    """Doubles the size of a feature map and joins it with the encoder's features of that size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.shrink = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.join = _ConvNorm(2 * outputs, outputs, 1)
        self.block = _Block(outputs, outputs, 5, 1, 2, has_gate=False)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        x = F.interpolate(self.shrink(x), scale_factor=2, mode="bilinear", align_corners=False)
        return self.block(self.join(torch.cat([x, skip], 1)))
