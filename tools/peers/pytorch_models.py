"""The models of the training steps as PyTorch's users write them: for the peer's timings, and in
float64 for the golden values. Images are NCHW here; our own text of the models is NHWC.
Parameters are called as in torchvision and GPT-2, which is how ours are called."""
import torch
from torch import nn
from torch.nn import functional


class Mlp(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.count = len(sizes) - 1
        for i in range(self.count):
            self.add_module(f"fc{i + 1}", nn.Linear(sizes[i], sizes[i + 1]))

    def forward(self, x):
        for i in range(1, self.count):
            x = functional.relu(self.get_submodule(f"fc{i}")(x))
        return self.get_submodule(f"fc{self.count}")(x)


class LeNet(nn.Module):
    """Square images; for those too small for a second 5x5 convolution, that is a 3x3 one, padded."""

    def __init__(self, side, classes=10):
        super().__init__()
        small = side < 14
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 3, padding=1) if small else nn.Conv2d(6, 16, 5)
        rest = (side // 2 - (0 if small else 4)) // 2
        self.flat = (16, rest, rest)
        self.fc1 = nn.Linear(16 * rest * rest, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.relu(self.fc1(x.flatten(1)))
        return self.fc3(functional.relu(self.fc2(x)))


class Residual(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3 (which has the stride: "v1.5"), 1x1."""

    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        if bottleneck:
            plan = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        else:
            plan = [(inputs, width, 3, stride), (width, outputs, 3, 1)]
        self.count = len(plan)
        for i, (a, b, size, step) in enumerate(plan, 1):
            self.add_module(f"conv{i}", nn.Conv2d(a, b, size, step, size // 2, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(b))
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        kept = x if self.downsample is None else self.downsample(x)
        for i in range(1, self.count + 1):
            x = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(x))
            if i < self.count:
                x = functional.relu(x)
        return functional.relu(x + kept)


class ResNet(nn.Module):
    """`blocks` a stage; channels double and the image halves from stage to stage."""

    def __init__(self, blocks, width=64, bottleneck=False, imagenet_stem=False, classes=10):
        super().__init__()
        size = 7 if imagenet_stem else 3
        self.conv1 = nn.Conv2d(3, width, size, 2 if imagenet_stem else 1, size // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, 1) if imagenet_stem else nn.Identity()
        self.stages = len(blocks)
        inputs = width
        for stage, count in enumerate(blocks):
            layer = nn.Sequential()
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                layer.append(Residual(inputs, width << stage, stride, bottleneck))
                inputs = (width << stage) * (4 if bottleneck else 1)
            self.add_module(f"layer{stage + 1}", layer)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.pool(functional.relu(self.bn1(self.conv1(x))))
        for stage in range(self.stages):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


class GptBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.ModuleDict(
            {"c_attn": nn.Linear(width, 3 * width), "c_proj": nn.Linear(width, width)})
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x):
        batch, tokens, width = x.shape
        qkv = self.attn["c_attn"](self.ln_1(x))
        qkv = qkv.view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn["c_proj"](mixed.transpose(1, 2).reshape(batch, tokens, width))
        inner = functional.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate="tanh")
        return x + self.mlp["c_proj"](inner)


class Gpt(nn.Module):
    """GPT-2: pre-norm blocks, learned positions, the head tied to the tokens' embedding."""

    def __init__(self, layers, width, heads, tokens, vocabulary):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(tokens, width)
        self.h = nn.ModuleList(GptBlock(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return functional.linear(self.ln_f(x), self.wte.weight)


def loss_of(logits, targets):
    """Mean cross-entropy over all rows: images, or tokens of all sequences."""
    return functional.cross_entropy(logits.flatten(0, -2), targets.flatten())


def optimizer_of(model, settings, **options):
    """`settings`: {"kind": "sgd" | "adamw", ...} with PyTorch's names. Weight decay of AdamW applies
    to tensors of two or more dimensions, as GPT-2 is trained; of SGD to all."""
    settings = dict(settings)
    if settings.pop("kind") == "sgd":
        return torch.optim.SGD(model.parameters(), **settings, **options)
    decay = settings.pop("weight_decay")
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": decay},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, **settings, **options)
