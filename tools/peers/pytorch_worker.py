"""One round of tools/peers/pytorch in a process of its own: reads a request as JSON from standard
input and writes a line of JSON an event to standard output. What is timed is a whole training step
(forward, backward, update) on one resident batch, by the rules of docs/method.md."""
import json
import os
import random
import resource
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
IMPLEMENTATIONS = ("pytorch_eager", "pytorch_compiled")
PRECISIONS = {"cpu": ("f32", "bf16"), "gpu": ("f32", "tf32", "bf16")}
LONGEST_WARM_UP = {"cpu": 0.5, "gpu": 2.0}  # seconds, compilation left out
WINDOW = {"cpu": 0.02, "gpu": 0.1}
AGREEMENT = 0.01
# Unit roundoffs of a product's operands, and how many of them a gradient may be off: some tens of
# roundings stand between the data and the first layer's gradient.
ROUNDOFF = {"f32": 2.0**-24, "tf32": 2.0**-11, "bf16": 2.0**-9}
ROUNDINGS = 64


def case_names(device):
    return [f"training_step_{shape}/{device}/{implementation}/{precision}" for shape in CASES
            for implementation in IMPLEMENTATIONS for precision in PRECISIONS[device]]


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
    """Two a product of linear layers, convolutions and attention, forward and both gradients; the
    first layer of images needs no gradient of its input."""
    batch = case["batch"]
    if kind == "mlp":
        sizes = case["sizes"]
        products = [a * b for a, b in zip(sizes, sizes[1:])]
        return 2 * batch * (3 * sum(products) - products[0])
    if kind == "lenet":
        side = case["side"]
        first = 6 * taps(side, 5, 2) ** 2
        second = 6 * 16 * taps(side // 2, 5, 0) ** 2
        flat = 16 * ((side // 2 - 4) // 2) ** 2
        return 2 * batch * (2 * first + 3 * (second + flat * 120 + 120 * 84 + 84 * 10))
    width, tokens = case["width"], case["tokens"]
    # Causal attention: a token meets those up to itself, (tokens + 1) / 2 of them in the mean.
    layer = 12 * width * width + 2 * width * (tokens + 1) / 2
    return 6 * batch * tokens * (case["layers"] * layer + width * case["vocabulary"])


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
        if implementation == "pytorch_compiled":
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
        """Seconds a call of forward, backward and update, in a run of their own: on a GPU the
        pauses between them are inside."""
        self.reset()
        spent = [0.0, 0.0, 0.0]
        for _ in range(calls):
            self.optimizer.zero_grad(set_to_none=True)
            work = [lambda: self.loss(), lambda: loss.backward(), self.optimizer.step]
            for phase, part in enumerate(work):
                self.synchronize()
                start = time.perf_counter()
                result = part()
                self.synchronize()
                spent[phase] += time.perf_counter() - start
                if phase == 0:
                    loss = result
        names = ("forward_seconds", "backward_seconds", "update_seconds")
        return {name: seconds / calls for name, seconds in zip(names, spent)}


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


def label_of(step, threads):
    facts = [f"capability={torch.backends.cpu.get_cpu_capability()}"] \
        if step.device.type == "cpu" else []
    facts += ["optimizer=fused"]
    if step.precision == "bf16":
        facts += ["autocast, f32 master weights"]
    return "; ".join(facts)


def measure(name, request):
    device = request["device"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step = Step(name, device, request["seed"], request["compile_mode"])
    start = time.perf_counter()
    first_loss = step.run().item()
    prepare_seconds = time.perf_counter() - start
    error, tolerance = step.error(), ROUNDINGS * ROUNDOFF[step.precision]
    row = {"name": name, "run_name": name, "run_type": "iteration"}
    check = {"error": error, "tolerance": tolerance, "verify_method": "gradients, fp64 PyTorch"}
    if not error <= tolerance:
        failed = {**row, "error_occurred": True,
                  "error_message": f"error {error:.1e} exceeds limit {tolerance:.1e} (gradients)"}
        return [{**failed, **check} if error == error else failed]
    step.reference = None
    step.remember()
    calls = calls_that_last(step, device, request["min_seconds"])
    phases = step.phases(calls)
    batch, tokens = step.case["batch"], step.case.get("tokens", 1)
    rows = []
    for repetition in range(request["repetitions"]):
        seconds, wall, cpu = step.batch(calls)
        measured = {
            **row, "repetitions": request["repetitions"], "repetition_index": repetition,
            "threads": request["threads"] if device == "cpu" else 0, "iterations": calls,
            "real_time": 1e9 * seconds / calls, "cpu_time": 1e9 * cpu / calls, "time_unit": "ns",
            "flops": model_flops(step.kind, step.case), "batch": batch, **check, **phases,
            "samples_per_second": batch * calls / seconds, "first_loss": first_loss,
            "prepare_seconds": prepare_seconds, "label": label_of(step, request["threads"]),
        }
        if tokens > 1:
            measured["tokens_per_second"] = batch * tokens * calls / seconds
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if device == "gpu":
            measured["host_seconds"] = wall / calls
            measured["peak_bytes"] = torch.cuda.max_memory_allocated()
        elif after > before:  # the peak is the process's: only where this case raised it, its own
            measured["peak_bytes"] = 1024 * after
        rows.append(measured)
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
        events.write(json.dumps(event) + "\n")

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
            rows = measure(name, request)
        except Exception as error:  # a case that fails is a row that says so
            reason = (str(error).strip().splitlines() or [""])[0]
            rows = [{"name": name, "run_name": name, "run_type": "iteration",
                     "error_occurred": True, "error_message": f"{type(error).__name__}: {reason}"}]
        say(rows=rows)
        torch.compiler.reset()


if __name__ == "__main__":
    main()
