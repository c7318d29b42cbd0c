"""One round of tools/peers/pytorch in a process of its own: reads a request as JSON from standard
input and writes a line of JSON an event to standard output. What is timed is a whole training step
(forward, backward, update) on one resident batch, by the rules of docs/method.md, and then its
phases."""
import json
import math
import os
import random
import sys
import time

import torch

import pytorch_models as models

SGD = {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.0}
ADAMW = {"kind": "adamw", "lr": 3e-4, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1}

# Shapes with the names, sizes and optimisers that our own rows have.
CASES = {
    "mlp/b128": {"batch": 128, "sizes": [784, 1024, 1024, 10], "optimizer": SGD},
    "lenet/b64": {"batch": 64, "side": 28, "optimizer": SGD},
    "gpt/tiny_b8": {"batch": 8, "layers": 4, "width": 128, "heads": 4, "tokens": 128,
                    "vocabulary": 256, "optimizer": ADAMW},
}
PHASES = ("forward", "backward", "update")
PRECISIONS = {"cpu": ("f32", "bf16"), "gpu": ("f32", "tf32", "bf16")}
LONGEST_WARM_UP = {"cpu": 0.5, "gpu": 2.0}  # seconds, compilation left out
WINDOW = {"cpu": 0.02, "gpu": 0.1}
AGREEMENT = 0.01
# Unit roundoffs of a product's operands, and how many of them a gradient may be off: some tens of
# roundings stand between the data and the first layer's gradient.
ROUNDOFF = {"f32": 2.0**-24, "tf32": 2.0**-11, "bf16": 2.0**-9}
ROUNDINGS = 64


def case_names(device, compile_mode):
    compiled = "pytorch_compiled"
    if compile_mode != "default":
        compiled += "_" + compile_mode.replace("-", "_")
    return [f"training_step_{shape}/{device}/{implementation}/{precision}" for shape in CASES
            for implementation in ("pytorch_eager", compiled) for precision in PRECISIONS[device]]


def model_of(kind, case):
    if kind == "mlp":
        return models.Mlp(case["sizes"])
    if kind == "lenet":
        return models.LeNet(case["side"])
    return models.Gpt(case["layers"], case["width"], case["heads"], case["tokens"],
                      case["vocabulary"])


def batch_of(kind, case):
    """Inputs uniform in [-1, 1), labels and tokens uniform."""
    batch = case["batch"]
    if kind == "gpt":
        shape = (batch, case["tokens"])
        return (torch.randint(case["vocabulary"], shape), torch.randint(case["vocabulary"], shape))
    shape = (batch, case["sizes"][0]) if kind == "mlp" else (batch, 1, case["side"], case["side"])
    return torch.rand(shape) * 2 - 1, torch.randint(10, (batch,))


def taps(extent, side, pad):
    """Products along an axis of a convolution with stride 1, those with padding left out."""
    return sum(min(side, extent - first) - max(0, -first)
               for first in range(-pad, extent + pad - side + 1))


def model_flops(kind, case):
    """(forward, backward): two a product of linear layers, convolutions and attention, and of both
    of their gradients; the first layer of images needs no gradient of its input."""
    batch = case["batch"]
    if kind == "mlp":
        sizes = case["sizes"]
        products = [a * b for a, b in zip(sizes, sizes[1:])]
        forward = 2 * batch * sum(products)
        return forward, 2 * forward - 2 * batch * products[0]
    if kind == "lenet":
        side = case["side"]
        first = 6 * taps(side, 5, 2) ** 2
        second = 6 * 16 * taps(side // 2, 5, 0) ** 2
        flat = 16 * ((side // 2 - 4) // 2) ** 2
        forward = 2 * batch * (first + second + flat * 120 + 120 * 84 + 84 * 10)
        return forward, 2 * forward - 2 * batch * first
    width, tokens = case["width"], case["tokens"]
    # Causal attention: a token meets those up to itself, (tokens + 1) / 2 of them in the mean.
    layer = 12 * width * width + 2 * width * (tokens + 1) / 2
    forward = 2 * batch * tokens * (case["layers"] * layer + width * case["vocabulary"])
    return forward, 2 * forward


class Step:
    """One case: model, batch, optimiser, and the state that every batch of calls starts from."""

    def __init__(self, name, device, seed, compile_mode):
        operation, shape, _, implementation, self.precision = name.split("/")
        self.kind = operation.removeprefix("training_step_")
        self.case = CASES[f"{self.kind}/{shape}"]
        self.device = torch.device("cuda" if device == "gpu" else "cpu")
        torch.manual_seed(seed)
        tf32 = self.precision == "tf32"
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = tf32
        model = model_of(self.kind, self.case).to(self.device)
        inputs, self.targets = (t.to(self.device) for t in batch_of(self.kind, self.case))
        self.reference = self.fp64_gradients(model, inputs)
        if inputs.dim() == 4:  # what PyTorch's tuning guide asks for
            model = model.to(memory_format=torch.channels_last)
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        self.model, self.inputs = model.train(), inputs
        self.optimizer = models.optimizer_of(model, self.case["optimizer"], fused=True)
        self.loss = self.autocast_loss
        self.compile_mode = compile_mode if implementation.startswith("pytorch_compiled") else None
        if self.compile_mode:
            self.loss = torch.compile(self.autocast_loss, mode=compile_mode, fullgraph=True)

    def autocast_loss(self):
        """bf16: products in bf16, weights, their gradients and the optimiser's state in f32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return models.loss_of(self.model(self.inputs), self.targets)

    def fp64_gradients(self, model, inputs):
        twin = model_of(self.kind, self.case).to(self.device).double()
        twin.load_state_dict(model.state_dict())
        inputs = inputs.double() if inputs.is_floating_point() else inputs
        loss = models.loss_of(twin(inputs), self.targets)
        loss.backward()
        return [parameter.grad for parameter in twin.parameters()]

    def run(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss

    def error(self):
        """Of all gradients together against float64, relative to their norm."""
        off = size = 0.0
        for parameter, right in zip(self.model.parameters(), self.reference):
            off += (parameter.grad.double() - right).square().sum().item()
            size += right.square().sum().item()
        return (off / size) ** 0.5

    def remember(self):
        """Keeps the state as it is now, for reset()."""
        live = list(self.model.parameters())
        for state in self.optimizer.state.values():
            live += [value for value in state.values() if torch.is_tensor(value)]
        self.kept = [(tensor, tensor.detach().clone()) for tensor in live]

    def reset(self):
        """A batch that is learnt by heart would end in gradients of zeros and denormals."""
        with torch.no_grad():
            for tensor, value in self.kept:
                tensor.copy_(value)

    def peak_bytes(self):
        """Of GPU memory in a step, without what the check and reset() hold."""
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        self.run()
        self.synchronize()
        return torch.cuda.max_memory_allocated()

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def batch(self, calls):
        """(seconds, wall seconds, processor seconds) of `calls` steps; on a GPU the first is
        between two events."""
        self.reset()
        self.synchronize()
        events = None
        if self.device.type == "cuda":
            events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        cpu, start = time.process_time(), time.perf_counter()
        if events:
            events[0].record()
        for _ in range(calls):
            self.run()
        if events:
            events[1].record()
        self.synchronize()
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        return (events[0].elapsed_time(events[1]) / 1e3 if events else wall), wall, cpu

    def phases(self, calls):
        """(seconds, processor seconds) of each phase in `calls` steps; on a GPU the pauses between
        them are inside."""
        self.reset()
        spent = [(0.0, 0.0)] * 3
        loss = None

        def forward():
            nonlocal loss
            loss = self.loss()

        for _ in range(calls):
            self.optimizer.zero_grad(set_to_none=True)
            for phase, part in enumerate((forward, lambda: loss.backward(), self.optimizer.step)):
                self.synchronize()
                cpu, start = time.process_time(), time.perf_counter()
                part()
                self.synchronize()
                wall, cpu = time.perf_counter() - start, time.process_time() - cpu
                spent[phase] = (spent[phase][0] + wall, spent[phase][1] + cpu)
        return spent


def calls_that_last(step, device, seconds):
    """Warms up until two windows agree, then says how many calls last so long."""
    spent, last, calls = 0.0, None, 1
    while spent < LONGEST_WARM_UP[device]:
        pace = step.batch(calls)[1] / calls
        spent += pace * calls
        if last is not None and abs(pace - last) <= AGREEMENT * last:
            break
        last, calls = pace, max(1, round(WINDOW[device] / pace))
    return max(1, round(seconds / pace + 0.5))


def label_of(step):
    facts = {"optimizer": "fused"}
    if step.device.type == "cpu":
        facts["capability"] = torch.backends.cpu.get_cpu_capability()
    if step.precision == "bf16":
        facts |= {"autocast": "bf16", "parameters": "f32"}
    if step.compile_mode:
        facts["compile_mode"] = step.compile_mode
    return "; ".join(f"{key}={value}" for key, value in sorted(facts.items()))


def error_row(name, message, **found):
    return {"name": name, "run_name": name, "run_type": "iteration", "error_occurred": True,
            "error_message": message, **found}


def measure(name, request):
    """Rows of a step and of its phases."""
    device = request["device"]
    step = Step(name, device, request["seed"], request["compile_mode"])
    start = time.perf_counter()
    first_loss = step.run().item()
    prepare_seconds = time.perf_counter() - start
    error, tolerance = step.error(), ROUNDINGS * ROUNDOFF[step.precision]
    if not (math.isfinite(error) and math.isfinite(first_loss)):
        return [error_row(name, f"error {error}, first loss {first_loss}: not finite")]
    check = {"error": error, "tolerance": tolerance, "verify_method": "gradients, fp64 PyTorch"}
    if error > tolerance:
        message = f"error {error:.1e} exceeds limit {tolerance:.1e} (gradients)"
        return [error_row(name, message, **check)]
    step.reference = None
    batch, tokens = step.case["batch"], step.case.get("tokens", 1)
    common = {
        "run_type": "iteration", "repetitions": request["repetitions"], "time_unit": "ns",
        "threads": request["threads"] if device == "cpu" else 0, "n": batch, **check,
        "first_loss": first_loss, "prepare_seconds": prepare_seconds, "label": label_of(step),
    }
    if device == "gpu":
        common |= {"peak_bytes": step.peak_bytes(), "launch_gaps": 1}
    step.remember()
    calls = calls_that_last(step, device, request["min_seconds"])
    forward, backward = model_flops(step.kind, step.case)
    flops = {"step": forward + backward, "forward": forward, "backward": backward, "update": 0}

    def row_of(part, repetition, seconds, cpu, **more):
        own = name.replace("training_step_", f"training_{part}_")
        row = {"name": own, "run_name": own, **common, "repetition_index": repetition,
               "iterations": calls, "real_time": 1e9 * seconds / calls,
               "cpu_time": 1e9 * cpu / calls, "flops": flops[part], **more}
        if part != "update":  # which takes the same time at every batch size
            row |= {"items": batch * tokens, "items_name": "tokens" if tokens > 1 else "samples",
                    "items_per_second": batch * tokens * calls / seconds}
        return row

    rows = []
    for repetition in range(request["repetitions"]):
        seconds, wall, cpu = step.batch(calls)
        more = {"host_seconds": wall / calls} if device == "gpu" else {}
        rows.append(row_of("step", repetition, seconds, cpu, **more))
    for repetition in range(request["repetitions"]):
        rows += [row_of(part, repetition, *spent)
                 for part, spent in zip(PHASES, step.phases(calls))]
    return rows


def facts_of(device):
    """What this process really loaded."""
    facts = {"torch.version": torch.__version__,
             "torch.capability": torch.backends.cpu.get_cpu_capability(),
             "torch.threads": str(torch.get_num_threads())}
    for line in torch.__config__.show().splitlines():
        if "Math Kernel Library" in line or "MKL-DNN" in line:
            facts["torch.onednn" if "DNN" in line else "torch.blas"] = line.strip(" -")
    if device == "gpu":
        facts["gpu.name"] = torch.cuda.get_device_name()
        facts["cuda.runtime"] = str(torch.version.cuda)
        facts["cudnn.version"] = str(torch.backends.cudnn.version())
    return facts


def main():
    request = json.load(sys.stdin)
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a compiler prints is no event

    def say(**event):
        events.write(json.dumps(event, allow_nan=False) + "\n")

    if request["device"] == "gpu" and not torch.cuda.is_available():
        say(unavailable="PyTorch finds no CUDA device here")
        return
    torch.set_num_threads(request["threads"])
    torch.set_num_interop_threads(1)
    say(facts=facts_of(request["device"]))
    names = request["names"]
    random.Random(request["order"]).shuffle(names)
    for name in names:
        say(start=name)
        try:
            say(rows=measure(name, request))
        except Exception as error:  # a case that fails is a row that says so
            reason = (str(error).strip().splitlines() or [""])[0]
            say(rows=[error_row(name, f"{type(error).__name__}: {reason}")])
        torch.compiler.reset()


if __name__ == "__main__":
    main()
