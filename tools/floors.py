"""What the kernels must reach whatever kernels/budgets.json says: the figures that their designs stand on.
tools/budget checks them in both of its modes, so recording can't lower them."""
import collections
import re

EVERY_ARCHITECTURE = None

# kernels: a regular expression for whole names; at least one kernel of each architecture must match.
# least, most: of the figure; math: what the main loop must multiply with.
Floor = collections.namedtuple("Floor", "kernels architectures figure least most math")


def at_least(kernels, architectures, figure, least, math=None):
    return Floor(kernels, architectures, figure, least, None, math)


def at_most(kernels, architectures, figure, most, math=None):
    return Floor(kernels, architectures, figure, None, most, math)


PROMISED = ("sm_80", "sm_90a")
# Aligned operands: <transposed A, transposed B, vector>. The scalar variants are for odd addresses.
VECTOR = r"_kernel<\w+, \w+, true>"

FLOORS = [
    # While one block of a 128x128 tile with 8x8 outputs a thread waits at its barrier, another must compute.
    at_least(r"sgemm_register_tile_kernel<RegisterTile<128, 8, 8>, \d+>", PROMISED, "blocks", 2),
    *(at_least(f"{rung}: {rung}{VECTOR}", PROMISED, "blocks", 2)
      for rung in ("sgemm_vectorized", "sgemm_warp_tile", "sgemm_pipelined")),
    at_least(r"implicit_sgemm: conv_sgemm_kernel<ThreadTiles<4, 2, 4, 8, 2, 2, 16>, \(Conv2dOp\)\d, true>", PROMISED,
             "blocks", 2),
    # The two rungs that the model chooses between for large products are bounded by issue slots.
    *(at_least(f"{rung}: {rung}{VECTOR}", EVERY_ARCHITECTURE, "share", 0.80, math="FFMA")
      for rung in ("sgemm_pipelined", "sgemm_split_warp_groups")),
    # One producer and two consumer groups start with 65536 / 384 registers a thread, in units of 8;
    # setmaxnreg moves them from the producer to the consumers.
    at_most("wgmma_pipeline<.*>", ("sm_90a",), "registers", 168, math="HGMMA"),
    at_most("wgmma_conv<.*>", ("sm_90a",), "registers", 168, math="HGMMA"),
    # Before the groups part, each of 128 threads holds its sums alone: at least two blocks fit.
    at_least("wgmma_simple<.*>", ("sm_90a",), "blocks", 2, math="HGMMA"),
]


def below(figures, floors=None):
    """Complaints about `figures`, one a kernel and architecture, and about floors that no kernel stands on."""
    for floor in FLOORS if floors is None else floors:
        for arch in sorted({each["arch"] for each in figures}):
            if floor.architectures and arch not in floor.architectures:
                continue
            bound = f"{floor.figure} {'>=' if floor.most is None else '<='} "
            bound += str(floor.least if floor.most is None else floor.most)
            here = [each for each in figures if each["arch"] == arch and re.fullmatch(floor.kernels, each["kernel"])]
            if not here:
                yield f"{floor.kernels} on {arch}: no kernel is called so, and {bound} was promised of it"
            for each in here:
                where = f"{each['kernel']} on {arch}"
                if floor.math and each.get("math") != floor.math:
                    yield f"{where}: main loop multiplies with {each.get('math', 'nothing')}, must be {floor.math}"
                value = each.get(floor.figure)
                if value is None or (floor.least is not None and value < floor.least) or (
                        floor.most is not None and value > floor.most):
                    yield f"{where}: {floor.figure} {'unknown' if value is None else value}, must be {bound}"
