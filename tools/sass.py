"""Reads cubins: kernels, their resources and instructions, and where their main loop is.

Uses NVIDIA's cuobjdump and nvdisasm, which tools/setup --test puts into .venv.
"""
import collections
import concurrent.futures
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

Instruction = collections.namedtuple("Instruction", "opcode operands predicate")
Kernel = collections.namedtuple("Kernel", "symbol arch registers local shared instructions")

# Opcodes without their suffixes, by what they tell. MMA of any type counts as HMMA, asynchronous MMA
# of any type as HGMMA.
FAMILIES = {
    "FFMA": "FFMA", "FFMA2": "FFMA", "DFMA": "DFMA",
    "HMMA": "HMMA", "IMMA": "HMMA", "QMMA": "HMMA", "OMMA": "HMMA", "DMMA": "HMMA",
    "HGMMA": "HGMMA", "QGMMA": "HGMMA", "IGMMA": "HGMMA",
    "LDS": "LDS", "LDSM": "LDSM", "STS": "STS", "LDGSTS": "LDGSTS", "LDG": "LDG", "STG": "STG",
    "BAR": "BAR", "SYNCS": "BAR", "LDL": "LDL", "STL": "STL",
}  # fmt: skip
MATH = ("FFMA", "HMMA", "HGMMA", "DFMA")
BYTES = 16  # of one instruction, sm_70 and later


class Missing(Exception):
    """A tool or file that is not there; what to do about it."""


def tool(name):
    """Path of one of NVIDIA's programs: beside the other Python packages, on PATH, in the toolkit."""
    root = pathlib.Path(__file__).resolve().parent.parent
    places = [f"{prefix}/lib/python*/site-packages/nvidia/*/bin/{name}" for prefix in (root / ".venv", sys.prefix)]
    for place in places:
        for found in sorted(glob.glob(str(place))):
            return found
    found = shutil.which(name) or shutil.which(f"/usr/local/cuda/bin/{name}")
    if not found:
        raise Missing(f"no {name}; tools/setup --test installs it into .venv")
    return found


def output_of(*command, stdin=None, cwd=None):
    return subprocess.run(command, input=stdin, cwd=cwd, check=True, text=True, capture_output=True).stdout


def family(opcode):
    return FAMILIES.get(opcode.split(".")[0])


def mix(instructions):
    """Share of each family, rounded to a thousandth."""
    counts = collections.Counter(family(i.opcode) for i in instructions)
    counts.pop(None, None)
    return {name: round(count / len(instructions), 3) for name, count in sorted(counts.items())}


def target(instruction):
    """Index of the instruction that a branch goes to, or None."""
    found = re.search(r"0x([0-9a-f]+)\)?$", instruction.operands.strip())
    return int(found[1], 16) // BYTES if found else None


def successors(instructions):
    """For each instruction the indices of those that may follow it."""
    reconvergence = {}  # barrier register -> where its latest BSSY said that threads meet
    result = []
    for index, instruction in enumerate(instructions):
        base = instruction.opcode.split(".")[0]
        following = {index + 1} if index + 1 < len(instructions) else set()
        conditional = bool(instruction.predicate)
        if base == "BSSY":
            reconvergence[instruction.operands.split(",")[0].strip()] = target(instruction)
        elif base in ("BRA", "JMP"):
            # A branch on a uniform predicate or on divergence has it among its operands.
            conditional = conditional or "," in instruction.operands or ".DIV" in instruction.opcode
            following = (following if conditional else set()) | {target(instruction)}
        elif base == "BSYNC":
            meet = reconvergence.get(instruction.operands.strip())
            following = (following if conditional or meet is None else set()) | {meet}
        elif base in ("EXIT", "RET", "BRX", "BREAK", "KILL"):
            following = following if conditional else set()
        result.append({each for each in following if each is not None and each < len(instructions)})
    return result


def basic_blocks(following):
    """[(first, last)] and for each block the blocks that may follow."""
    leaders = {0}
    for index, nexts in enumerate(following):
        if nexts != {index + 1}:
            leaders |= nexts | {index + 1}
    starts = sorted(leader for leader in leaders if leader < len(following))
    ends = [start - 1 for start in starts[1:]] + [len(following) - 1]
    number = {start: block for block, start in enumerate(starts)}
    return list(zip(starts, ends)), [{number[n] for n in following[end]} for end in ends]


def dominators(edges):
    """For each block reachable from the first the set of those that every way to it passes."""
    order, seen, stack = [], {0}, [(0, iter(edges[0]))]
    while stack:
        block, nexts = stack[-1]
        following = next((n for n in nexts if n not in seen), None)
        if following is None:
            order.append(block)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(edges[following])))
    order.reverse()
    before = collections.defaultdict(set)
    for block in seen:
        for following in edges[block]:
            before[following].add(block)
    everything = set(seen)
    dominate = {block: everything for block in seen}
    dominate[0] = {0}
    changed = True
    while changed:
        changed = False
        for block in order[1:]:
            fresh = set.intersection(*(dominate[b] for b in before[block])) | {block}
            if fresh != dominate[block]:
                dominate[block], changed = fresh, True
    return dominate, before


def loops(edges):
    """The natural loops, each a set of blocks; loops of one head are one."""
    dominate, before = dominators(edges)
    bodies = collections.defaultdict(set)
    for block in dominate:
        for head in edges[block] & dominate[block]:
            body, stack = bodies[head] | {head}, [block]
            while stack:
                each = stack.pop()
                if each not in body:
                    body.add(each)
                    stack.extend(before[each])
            bodies[head] = body
    return list(bodies.values())


def main_loop(instructions):
    """The instructions of the innermost loop that multiplies most, by tensor cores if it has such; [] without
    one. A loop that waits for a barrier inside it belongs to it."""
    blocks, edges = basic_blocks(successors(instructions))
    multiplying = []
    for body in loops(edges):
        inside = [i for block in sorted(body) for i in instructions[blocks[block][0]:blocks[block][1] + 1]]
        counts = collections.Counter(family(i.opcode) for i in inside)
        weight = (counts["HGMMA"], counts["HMMA"], counts["FFMA"] + counts["DFMA"])
        if any(weight):
            multiplying.append((body, weight, inside))
    innermost = [each for each in multiplying if not any(other[0] < each[0] for other in multiplying)]
    return max(innermost, key=lambda each: each[1], default=(None, None, []))[2]


def resources(binary):
    """{(arch, symbol): (registers, bytes of stack and local memory, static shared bytes)}"""
    found = {}
    for line in output_of(tool("cuobjdump"), "-res-usage", str(binary)).splitlines():
        if arch := re.match(r"arch = (sm_\w+)$", line):
            here = arch[1]
        elif function := re.match(r"\s*Function (.+):$", line):
            name = function[1]
        elif usage := re.match(r"\s*REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)", line):
            registers, stack, shared, local = map(int, usage.groups())
            found[here, name] = (registers, max(stack, local), shared)
    return found


def kernels(binary):
    """Every kernel in every cubin of a shared object or program."""
    figures = resources(binary)
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        output_of(tool("cuobjdump"), "-xelf", "all", str(pathlib.Path(binary).resolve()), cwd=folder)
        cubins = sorted(pathlib.Path(folder).glob("*.cubin"))
        listings = pool.map(lambda cubin: output_of(tool("nvdisasm"), "-json", str(cubin)), cubins)
        for cubin, listing in zip(cubins, listings):
            arch = re.search(r"\.(sm_\w+)\.cubin$", cubin.name)[1]
            for function in json.loads(listing)[1]:
                symbol = function["function-name"]
                if (arch, symbol) not in figures:
                    continue  # a subroutine of the kernel before it, such as a 64-bit division
                instructions = [Instruction(i["opcode"], i.get("operands", ""), i.get("predicate", ""))
                                for i in function["sass-instructions"]]
                yield Kernel(symbol, arch, *figures[arch, symbol], instructions)
