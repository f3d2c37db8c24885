"""Wide residual network (Zagoruyko & Komodakis 2016, BMVC, arXiv:1605.07146) for one grey channel."""

from __future__ import annotations

from typing import Self, cast

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

STEM_CHANNELS = 16


class WideBlock(nn.Module):
    """Two pre-activated 3x3 convolutions with a shortcut.

    Every layer is built for `groups` networks side by side: channels are counted per network, and the convolutions are grouped,
    so that one block holds the blocks of a whole ensemble.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, groups: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1: nn.Module = nn.BatchNorm2d(channels_in * groups)
        self.conv1 = nn.Conv2d(channels_in * groups, channels_out * groups, 3, stride, 1, groups=groups, bias=False)
        self.norm2: nn.Module = nn.BatchNorm2d(channels_out * groups)
        self.dropout: nn.Module = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv2 = nn.Conv2d(channels_out * groups, channels_out * groups, 3, 1, 1, groups=groups, bias=False)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Conv2d(channels_in * groups, channels_out * groups, 1, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, channels_in, h, w] to [batch, channels_out, h / stride, w / stride]."""
        active = functional.relu(self.norm1(x))
        shortcut = x if self.shortcut is None else self.shortcut(active)
        out: Tensor = shortcut + self.conv2(self.dropout(functional.relu(self.norm2(self.conv1(active)))))
        return out


class WideResNet(nn.Module):
    """WRN-depth-width: a stem, three groups of wide blocks at strides 1, 2, 2, global average pooling and a linear layer.

    Args:
        lots: number of classes.
        depth: 6 n + 4, with n blocks a group.
        width: factor on the channels 16, 32, 64.
        groups: how many networks stand side by side; 1 while training, the ensemble's size in the fused graph.
        dropout: share of units left out between the convolutions of a block.
    """

    def __init__(self, lots: int, depth: int = 16, width: int = 2, groups: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        blocks, remainder = divmod(depth - 4, 6)
        if remainder or blocks < 1:
            msg = f"depth must be 6 n + 4, not {depth}"
            raise ValueError(msg)
        self.groups = groups
        self.lots = lots
        self.channels = 4 * STEM_CHANNELS * width
        self.stem = nn.Conv2d(1, STEM_CHANNELS * groups, 3, 1, 1, bias=False)  # every network sees the one grey channel
        layers: list[nn.Module] = []
        channels = STEM_CHANNELS
        for factor, stride in ((1, 1), (2, 2), (4, 2)):
            for block in range(blocks):
                layers.append(WideBlock(channels, STEM_CHANNELS * width * factor, stride if block == 0 else 1, groups, dropout))
                channels = STEM_CHANNELS * width * factor
        self.blocks = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(channels * groups)
        self.head = nn.Conv2d(channels * groups, lots * groups, 1, groups=groups)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def fold_norms(self) -> Self:
        """Put every normalisation that directly follows a convolution into its weights, in place; not to be trained on afterwards."""
        self.eval()
        first = self.blocks[0]
        # only where the shortcut sees norm1's output does nothing but norm1 see the stem
        if isinstance(first, WideBlock) and first.shortcut is not None and isinstance(first.norm1, nn.BatchNorm2d):
            self.stem, first.norm1 = _folded(self.stem, first.norm1), nn.Identity()
        for block in self.blocks:
            if isinstance(block, WideBlock) and isinstance(block.norm2, nn.BatchNorm2d):
                block.conv1, block.norm2 = _folded(block.conv1, block.norm2), nn.Identity()
        return self

    def after_stem(self, stem: Tensor) -> Tensor:
        """Map the stem's output to features before pooling, as `places` does."""
        return functional.relu(self.norm(self.blocks(stem)))

    def places(self, fields: Tensor) -> Tensor:
        """Map fields [batch, 1, h, w] to features before pooling [batch, groups * channels, h / 4, w / 4]."""
        return self.after_stem(self.stem(fields))

    def features(self, fields: Tensor) -> Tensor:
        """Map fields [batch, 1, h, w] to penultimate features [batch, groups * channels]."""
        return self.places(fields).mean(dim=(2, 3))

    def logits(self, features: Tensor) -> Tensor:
        """Map features [batch, groups * channels] to logits [batch, groups, lots]."""
        logits: Tensor = self.head(features[:, :, None, None])
        return logits.reshape(-1, self.groups, self.lots)

    def forward(self, fields: Tensor) -> Tensor:
        """Map fields [batch, 1, h, w] in [0, 1] to logits [batch, groups, lots]."""
        return self.logits(self.features(fields))


def _folded(convolution: nn.Conv2d, norm: nn.Module) -> nn.Conv2d:
    return fuse_conv_bn_eval(convolution, cast("nn.BatchNorm2d", norm))
