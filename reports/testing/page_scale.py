"""Reports of many rows: invented results, and how long the page takes to answer."""
import itertools
import json

LIMIT = 100  # milliseconds from a click to the page laid out anew


def write_results(path, count):
    """Results of `count` cases in two rounds of one sample each."""
    kinds = list(itertools.product(("matmul", "conv2d_forward", "stream", "reduce"), ("cpu/openblas", "cpu/onednn",
                                   "cpu/naive", "gpu/cublas", "gpu/handwritten"), ("f32", "bf16", "f16")))
    rows = []
    for i in range(count):
        op, who, precision = kinds[i % len(kinds)]
        name = f"{op}/shape_{i // len(kinds)}/{who}/{precision}" + ("/cache:cold" if i % 7 == 0 else "")
        for number in range(2):
            rows.append({"name": name, "run_name": name, "run_type": "iteration", "round": number, "process": number,
                         "repetition_index": 0, "threads": 2, "iterations": 1, "time_unit": "ns", "flops": 1e9,
                         "real_time": 1000 + (i * 7919 + number * 104729) % 99991, "error": 0, "tolerance": 1e-5})
    with open(path, "w") as file:
        json.dump({"context": {"breakeven_schema": 1, "cpu.model": "Synthetic CPU"}, "benchmarks": rows}, file)


# The page's policy forbids eval, so the act is put into the function.
TIMED = """() => {
  const start = performance.now();
  ACT;
  document.body.offsetHeight;
  return performance.now() - start;
}"""
ACTS = {
    "a pill": "document.querySelector('[data-choice=matmul]').click()",
    "a second pill": "document.querySelector('[data-choice=bf16]').click()",
    "a word": "{const w = document.getElementById('words'); w.value = 'shape_12';"
              " w.dispatchEvent(new Event('input'))}",
    "no word": "{const w = document.getElementById('words'); w.value = ''; w.dispatchEvent(new Event('input'))}",
    "a pill back": "document.querySelector('[data-choice=matmul]').click()",
}
OTHERS = {
    "sorting by time": "[...document.querySelectorAll('#all-rows th button')].find("
                       "b => b.textContent === 'Time').click()",
    "a baseline": "{const s = document.getElementById('baseline'); s.value = 'cpu/openblas';"
                  " s.dispatchEvent(new Event('change'))}",
    "a pill with a baseline": "document.querySelector('[data-choice=stream]').click()",
}


def measure(browser):
    """Prints what each act takes; 1 where a filter takes longer than LIMIT."""
    slowest = 0
    with browser.page("scale.html") as page:
        ready = page.evaluate("performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart")
        print(f"ready after {ready:.0f} ms")
        page.evaluate("document.querySelector('#controls [aria-expanded]').click()")
        for name, act in (ACTS | OTHERS).items():
            took = page.evaluate(TIMED.replace("ACT", act))
            print(f"{name:<24}{took:7.1f} ms")
            if name in ACTS:
                slowest = max(slowest, took)
            page.wait_for_timeout(400)
    print(f"the slowest filter took {slowest:.1f} ms; the limit is {LIMIT} ms")
    return 0 if slowest <= LIMIT else 1
