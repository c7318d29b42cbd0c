#!/usr/bin/env python3
"""Golden values from outside: tiny models trained for three steps by PyTorch in float64.

usage: make_golden.py [--out DIR] [--check]

Writes one JSON file a model to DIR (default reference/training/golden). --check writes nothing and
compares with the files that are there, to 1e-11 of each tensor's largest value: for another version
of PyTorch or another machine. Needs PyTorch (tools/peers/pytorch --venv DIR makes an environment).

Layouts are ours: images NHWC, filters KRSC, linear weights [out, in], with the columns of a linear
layer that follows a flattened image in NHWC order. Values have 17 significant digits, so a reader
gets the same doubles. Initial parameters come from a formula that a reader can repeat (`uniform`
below); tensors of more than 512 elements are given by 128 elements and 16 signed sums over all.

Exit status: 0; 1 --check found a difference; 2 usage, or no PyTorch.
"""
import argparse
import json
import math
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "peers"))

if {"-h", "--help"} & set(sys.argv[1:]):
    print(__doc__.strip())
    sys.exit(0)
try:
    import numpy as np
    import torch

    import pytorch_models as models
except ImportError as missing:
    print(f"make_golden.py: {missing}; tools/peers/pytorch --venv DIR makes an environment",
          file=sys.stderr)
    sys.exit(2)

WHOLE = 512  # elements up to which a tensor is written whole
SAMPLES = 128
SUMS = 16
STEPS = 3
TOLERANCE = 1e-11
SIGN_STREAM = 1 << 16
IMAGE_STREAM, TOKEN_STREAM, TARGET_STREAM, PARAMETER_STREAM = 1, 2, 3, 16

SGD = {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.0}
SGD_DECAY = {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4}
ADAMW = {"kind": "adamw", "lr": 3e-4, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.1}

# What each file holds: sizes are as small as lets every term matter, and no two are alike by chance.
GOLDEN = {
    "mlp": ({"kind": "mlp", "widths": [20, 16, 14, 10], "batch": 6}, SGD),
    "lenet": ({"kind": "lenet", "side": 8, "batch": 4}, SGD),
    "lenet_large": ({"kind": "lenet", "side": 28, "batch": 2}, SGD),
    "resnet_basic": ({"kind": "resnet", "side": 9, "blocks": [1, 1], "width": 6,
                      "bottleneck": False, "imagenet": False, "batch": 4}, SGD_DECAY),
    "resnet_bottleneck": ({"kind": "resnet", "side": 20, "blocks": [1, 2], "width": 3,
                           "bottleneck": True, "imagenet": True, "batch": 3}, SGD_DECAY),
    "gpt": ({"kind": "gpt", "layers": 2, "width": 24, "heads": 3, "steps": 7, "vocabulary": 29,
             "batch": 3}, ADAMW),
}


def hashes(stream, count):
    """SplitMix64 of 2^32 stream + 0 ... count - 1 (Steele, Lea & Flood, OOPSLA'14)."""
    z = np.arange(count, dtype=np.uint64) + np.uint64((stream << 32) + 1)
    z = z * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(stream, count):
    """In [-1, 1), exact: the upper 53 bits of the hash over 2^52, less 1."""
    return (hashes(stream, count) >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1.0


def whole_numbers(stream, count, below):
    return ((uniform(stream, count) + 1.0) / 2.0 * below).astype(np.int64)


def our_name(name):
    return {"wte.weight": "wte", "wpe.weight": "wpe"}.get(name, name)


def is_gain(name):
    """Of a norm: all its parameters but the biases are called weight."""
    part = name.split(".")[-2]
    behind = ".downsample.1." in name
    return name.endswith("weight") and (part.startswith(("bn", "ln_")) or behind)


def ours(name, tensor, model):
    """A parameter or its gradient in our layout, as a numpy array."""
    array = tensor.detach().numpy()
    if array.ndim == 4:
        return array.transpose(0, 2, 3, 1)
    if name == "fc1.weight" and hasattr(model, "flat"):  # its columns from CHW to HWC
        shape = (array.shape[0], *model.flat)
        return array.reshape(shape).transpose(0, 2, 3, 1).reshape(array.shape)
    return array


def theirs(name, array, model):
    """The opposite of ours()."""
    if array.ndim == 4:
        array = array.transpose(0, 3, 1, 2)
    elif name == "fc1.weight" and hasattr(model, "flat"):
        channels, height, width = model.flat
        shape = (array.shape[0], height, width, channels)
        array = array.reshape(shape).transpose(0, 3, 1, 2).reshape(array.shape)
    return torch.from_numpy(array.copy())


def summary(array):
    """A tensor in row-major order, whole or by samples and signed sums; `largest` is its scale."""
    flat = np.ascontiguousarray(array).ravel()
    result = {"count": flat.size, "largest": float(np.abs(flat).max())}
    if flat.size <= WHOLE:
        return {**result, "values": flat.tolist()}
    chosen = np.arange(SAMPLES) * flat.size // SAMPLES
    bits = hashes(SIGN_STREAM, flat.size)
    # Exactly rounded sums: whoever repeats them in any order is as close as his own rounding.
    sums = [math.fsum(np.where((bits >> np.uint64(k)) & np.uint64(1), flat, -flat))
            for k in range(SUMS)]
    return {**result, "norm": float(np.linalg.norm(flat)), "samples": flat[chosen].tolist(),
            "signed_sums": sums}


def build(config):
    kind = config["kind"]
    if kind == "mlp":
        return models.Mlp(config["widths"])
    if kind == "lenet":
        return models.LeNet(config["side"])
    if kind == "resnet":
        return models.ResNet(config["blocks"], config["width"], config["bottleneck"],
                             config["imagenet"])
    return models.Gpt(config["layers"], config["width"], config["heads"], config["steps"],
                      config["vocabulary"])


def inputs_of(config):
    """(what the model reads, targets, both as the file has them)."""
    batch = config["batch"]
    if config["kind"] == "gpt":
        shape = (batch, config["steps"])
        count = batch * config["steps"]
        tokens = whole_numbers(TOKEN_STREAM, count, config["vocabulary"])
        targets = whole_numbers(TARGET_STREAM, count, config["vocabulary"])
        written = {"tokens": tokens.tolist(), "targets": targets.tolist()}
        return (torch.from_numpy(tokens.reshape(shape)), torch.from_numpy(targets.reshape(shape)),
                written)
    channels = {"mlp": 0, "lenet": 1, "resnet": 3}[config["kind"]]
    shape = ((batch, config["side"], config["side"], channels) if channels
             else (batch, config["widths"][0]))
    images = uniform(IMAGE_STREAM, math.prod(shape)).reshape(shape)
    targets = whole_numbers(TARGET_STREAM, batch, 10)
    written = {"images": {"shape": list(shape), "values": images.ravel().tolist()},
               "targets": targets.tolist()}
    read = images.transpose(0, 3, 1, 2).copy() if channels else images
    return torch.from_numpy(read), torch.from_numpy(targets), written


def initialise(model):
    """Fills the parameters; returns what the file says of each, in the model's order."""
    said = []
    for index, (name, parameter) in enumerate(model.named_parameters()):
        shape = ours(name, parameter, model).shape
        gain = is_gain(name)
        # Powers of two, so that shift + scale * u is rounded once wherever it is computed.
        fan_in = math.prod(shape[1:]) if len(shape) > 1 else 16
        scale = 0.25 if gain else 2.0 ** -round(math.log2(fan_in) / 2)
        shift = 1.0 if gain else 0.0
        stream = PARAMETER_STREAM + index
        values = shift + scale * uniform(stream, math.prod(shape))
        with torch.no_grad():
            parameter.copy_(theirs(name, values.reshape(shape), model))
        said.append({"name": our_name(name), "shape": list(shape), "stream": stream, "scale": scale,
                     "shift": shift, "first": values[:4].tolist()})
    return said


def train(config, settings):
    """The document of one model."""
    torch.manual_seed(0)
    model = build(config).double().train()
    parameters = initialise(model)
    read, targets, written = inputs_of(config)
    optimizer = models.optimizer_of(model, settings)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        logits = model(read)
        loss = models.loss_of(logits, targets)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            first_logits = summary(logits.detach().numpy())
            for said, (name, parameter) in zip(parameters, model.named_parameters()):
                said["gradient"] = summary(ours(name, parameter.grad, model))
        optimizer.step()
    for said, (name, parameter) in zip(parameters, model.named_parameters()):
        said["trained"] = summary(ours(name, parameter, model))
    running = [{"name": name, "trained": summary(buffer.numpy())}
               for name, buffer in model.named_buffers() if "running" in name]
    with torch.no_grad():
        inference = model.eval()(read)
    return {
        "about": "Written by tools/golden/make_golden.py, which says what the keys mean",
        "framework": f"PyTorch {torch.__version__.split('+')[0]}, float64",
        "model": config, "optimizer": settings, "updates": STEPS, "inputs": written,
        "losses": losses, "logits": first_logits,
        "inference_logits": summary(inference.numpy()),
        "running": running, "parameters": parameters,
    }


def text_of(document):
    """JSON with a line an entry, so that a change of one tensor is a change of one line."""
    def line(value):
        if isinstance(value, float):
            return f"{value:.17g}"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(k)}: {line(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(line(v) for v in value) + "]"
        return json.dumps(value)

    parts = []
    for key, value in document.items():
        if key in ("parameters", "running") and value:
            parts.append(f"{json.dumps(key)}: [\n" + ",\n".join(line(v) for v in value) + "]")
        else:
            parts.append(f"{json.dumps(key)}: {line(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def differences(new, old, where, scale=None):
    """Lines that say where two documents differ; numbers by more than TOLERANCE of their scale."""
    if isinstance(new, dict) and isinstance(old, dict):
        if new.keys() != old.keys():
            yield f"{where}: other keys"
            return
        inner = new.get("norm", new.get("largest", scale))
        for key in new:
            if key != "framework":
                yield from differences(new[key], old[key], f"{where}.{key}", inner)
    elif isinstance(new, list) and isinstance(old, list):
        if len(new) != len(old):
            yield f"{where}: other length"
            return
        for i, (a, b) in enumerate(zip(new, old)):
            yield from differences(a, b, f"{where}[{i}]", scale)
    elif isinstance(new, (int, float)) and isinstance(old, (int, float)):
        if not abs(new - old) <= TOLERANCE * (abs(old) if scale is None else scale):
            yield f"{where}: {new!r}, there {old!r}"
    elif new != old:
        yield f"{where}: {new!r}, there {old!r}"


def main():
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, add_help=False)
    parser.add_argument("--out", type=pathlib.Path,
                        default=ROOT / "reference" / "training" / "golden")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    status = 0
    for name, (config, settings) in GOLDEN.items():
        path = arguments.out / f"{name}.json"
        document = train(config, settings)
        if not arguments.check:
            path.write_text(text_of(document))
            print(f"{path}: {path.stat().st_size} bytes, losses "
                  + " ".join(f"{loss:.6f}" for loss in document["losses"]))
            continue
        found = list(differences(document, json.loads(path.read_text()), name))
        for line in found[:10]:
            print(line)
        print(f"{name}: {len(found)} differences")
        status |= bool(found)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
