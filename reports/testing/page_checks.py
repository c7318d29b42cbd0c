"""Checks of page_test: policy, filters, ratios, order, shared URLs, keyboard. Each opens what it needs and
raises AssertionError where the page differs."""
import re

import page_numbers as numbers

SHOWN = "#all-rows tbody tr:visible"
PANEL = "#controls [aria-expanded]"


def expect(found, wanted, what):
    if found != wanted and isinstance(wanted, dict) and isinstance(found, dict):
        differ = [key for key in wanted.keys() | found.keys() if found.get(key) != wanted.get(key)]
        key = min(differ, key=str)
        expect(found.get(key), wanted.get(key), f"{what}: {len(differ)} differ, first {key}")
    if found != wanted:
        raise AssertionError(f"{what}: {found!r} instead of {wanted!r}")


def cases_of(browser, name="gpu"):
    return numbers.read(browser.folder / f"{name}.json")


def open_panel(page):
    if page.get_attribute(PANEL, "aria-expanded") == "false":
        page.click(PANEL)


def pill(facet, choice):
    return f'#controls [data-facet="{facet}"][data-choice="{choice}"]'


def shown_rows(page):
    """Of every row shown: case label, device, implementation, precision, options, threads and the rest."""
    return page.eval_on_selector_all("#all-rows tbody tr", """lines => lines.filter(l => !l.hidden).map(
        l => [...l.cells].filter(c => !c.hidden).map(c => c.textContent))""")


def row_key(cells):
    """What tells rows apart; the first cells of a row of one run."""
    label, device, implementation, precision, options = cells[:5]
    return label, device, implementation, precision, options


def key_of(case):
    name = case.of
    options = [option for option in name.options if not option.startswith("threads")]
    return f"{name.op}/{name.shape}", name.device, name.implementation, name.precision, " ".join(options)


def header(page):
    return page.eval_on_selector_all(
        "#all-rows thead th", "heads => heads.filter(h => !h.hidden).map(h => h.textContent)")


# -- what the page is

def offline_and_strict(browser):
    with browser.page("gpu.html") as page:
        policy = page.get_attribute('meta[http-equiv="Content-Security-Policy"]', "content")
        expect(policy.startswith("default-src 'none'"), True, "the policy's default")
        open_panel(page)
        page.select_option("#baseline", "cpu/onednn")
        page.click("text=Linear heights")
    # A page that asks for something is stopped; quiet pages above were so by themselves.
    with browser.chromium.new_context() as context:
        page = context.new_page()
        page.goto((browser.folder / "gpu.html").as_uri())
        blocked = page.evaluate("""() => new Promise(resolve => {
            document.addEventListener('securitypolicyviolation', e => resolve(e.effectiveDirective));
            setTimeout(() => resolve('nothing'), 2000);
            document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'}));
        })""")
        expect(blocked, "img-src", "what the policy stops")


def without_scripts(browser):
    cases = cases_of(browser)
    with browser.page("gpu.html", java_script_enabled=False) as page:
        expect(page.locator(SHOWN).count(), len(cases), "rows without scripts")
        expect(sorted(row_key(cells) for cells in shown_rows(page)), sorted(map(key_of, cases.values())), "their names")
        expect(page.locator("#controls").count(), 0, "filters without scripts")
        expect(page.locator("svg.chart:visible").count() > 5, True, "charts without scripts")
        expect("Geometric-mean speedup" in page.inner_text("#answer .lead"), True, "the answer without scripts")
        text = page.inner_text("#all-rows")
        for case in cases.values():
            if not case.failure:
                expect(numbers.time_text(case.seconds) in text, True, f"the time of {case.name}")


# -- filters

def filters_choose_rows(browser):
    cases = cases_of(browser)

    def count(keep):
        return sum(keep(case) for case in cases.values())

    with browser.page("gpu.html") as page:
        open_panel(page)
        expect(len(shown_rows(page)), len(cases), "all rows")
        for facet, choice, keep in (("op", "matmul", lambda c: c.of.op == "matmul"),
                                    ("device", "gpu", lambda c: c.of.device == "gpu"),
                                    ("precision", "bf16", lambda c: c.of.precision == "bf16"),
                                    ("mode", "threads:1", lambda c: "threads:1" in c.of.options),
                                    ("mode", "", lambda c: not c.of.options),
                                    ("impl", "naive", lambda c: c.of.implementation == "naive")):
            expect(int(page.inner_text(pill(facet, choice) + " span")), count(keep), f"the count on {choice!r}")
            page.click(pill(facet, choice))
            expect(page.get_attribute(pill(facet, choice), "aria-pressed"), "true", f"{choice!r} pressed")
            expect(sorted(row_key(cells) for cells in shown_rows(page)),
                   sorted(key_of(case) for case in cases.values() if keep(case)), f"rows of {choice!r}")
            page.click(pill(facet, choice))
        page.click(pill("precision", "f32"))
        page.click(pill("precision", "tf32"))
        page.click(pill("device", "gpu"))
        # A pill counts what it would show if it alone decided in its group.
        for facet, choice, wanted in (
                ("precision", "tf32", count(lambda c: (c.of.device, c.of.precision) == ("gpu", "tf32"))),
                ("device", "cpu", count(lambda c: c.of.device == "cpu" and c.of.precision != "bf16")),
                ("impl", "naive", count(lambda c: (c.of.device, c.of.implementation) == ("gpu", "naive")))):
            expect(int(page.inner_text(pill(facet, choice) + " span")), wanted, f"the count on {choice!r}, filtered")
        page.fill("#words", "SQUARE_1024 blas")
        wanted = [case for case in cases.values() if case.of.device == "gpu" and case.of.precision in ("f32", "tf32")
                  and "square_1024" in case.name and "blas" in case.name]
        expect(len(shown_rows(page)), len(wanted), "rows of pills and words")
        expect(page.inner_text("#controls [role=status]").split(" · ")[0], f"{len(wanted)} of {len(cases)} cases",
               "the status")
        expect(page.locator("#rows > details:visible").count(), len(wanted), "details shown")
        page.click("#controls .clear")
        expect(len(shown_rows(page)), len(cases), "rows after Clear")


def filters_choose_blocks(browser):
    with browser.page("two.html") as page:
        open_panel(page)
        page.click(pill("op", "stream"))
        shown = page.eval_on_selector_all("figure", "all => all.filter(f => f.offsetParent).map(f => f.dataset.op)")
        expect({op for op in shown if op} , {"stream"}, "operations of the charts shown")
        expect(page.locator(".heat:visible").count(), page.locator('[data-op="stream"] > .heat').count(), "heat maps")
        expect(page.locator("#throughput .hidden-blocks").inner_text().startswith("Hidden by the filter"), True,
               "what is hidden is said")
        page.click(pill("op", "stream"))
        page.click(pill("run", "B"))
        expect({cells[0] for cells in shown_rows(page)}, {"B"}, "runs of the rows shown")
        expect(page.locator('figure[data-run="A"]:visible').count(), 0, "charts of the other machine")


# -- ratios

def compared(page, cases, base):
    """Compares every ratio that is shown; returns how many."""
    place = header(page).index(next(title for title in header(page) if title.startswith("Against")))
    by_key = {key_of(case) + (str(case.row.get("threads") or ""),): case for case in cases.values()}
    figures = 0
    for cells in shown_rows(page):
        if any(cell.startswith("failed") for cell in cells):
            continue
        case = by_key[row_key(cells) + (cells[5],)]
        expect(cells[place], numbers.against(cases, base, case), f"{case.name} against {base}")
        expect(cells[6], numbers.time_text(case.seconds), f"the time of {case.name}")
        figures += 4 if "x (" in cells[place] else 3 if "can't tell" in cells[place] else 1
    return figures


def rebasing(browser):
    cases = cases_of(browser)
    figures = 0
    with browser.page("gpu.html") as page:
        open_panel(page)
        for base in ("cpu/onednn", "gpu/naive", "cpu/openblas/threads:1", "cpu/onednn_packed", "gpu/cublas",
                     "cpu/naive", "cpu/openblas"):
            page.select_option("#baseline", base)
            figures += compared(page, cases, base)
        texts = [" ".join(cells) for cells in shown_rows(page)]
        for word in ("can't tell", "speedup", "ratio", "baseline", "–"):
            expect(any(word in text for text in texts), True, f"some row says {word!r}")
        # Sorted by ratios, rows change places with the baseline.
        head = page.locator("#all-rows thead th", has_text="Against")
        head.locator("button").click()
        for base in ("gpu/cublas", "cpu/onednn"):
            page.select_option("#baseline", base)
            place = header(page).index(head.inner_text().replace(" ▲", ""))
            ratios = [float(cells[place].split("x")[0]) for cells in shown_rows(page)
                      if len(cells) > place and "x (" in cells[place]]
            expect(ratios, sorted(ratios), f"ratios in order against {base}")
        page.locator("#all-rows thead th", has_text="Case").locator("button").click()
        # A click on an implementation does the same, and a second one undoes it.
        page.select_option("#baseline", "")
        expect(any(title.startswith("Against") for title in header(page)), False, "a column without a baseline")
        line = page.locator("#all-rows tbody tr", has_text="matmul/square_256")
        button = line.locator(".pick", has_text="onednn").first
        button.click()
        expect(page.input_value("#baseline"), "cpu/onednn", "the baseline clicked")
        figures += compared(page, cases, "cpu/onednn")
        button.click()
        expect(page.input_value("#baseline"), "", "the baseline clicked again")
    expect(figures > 100, True, "enough figures compared")
    return f"{figures} figures"


def geometric_means(browser):
    cases = cases_of(browser)
    with browser.page("gpu.html") as page:
        open_panel(page)
        for facet, choice in (("op", "matmul"), ("precision", "f32"), ("mode", "")):
            page.click(pill(facet, choice))
        for left_out in ((), ("naive",)):
            if left_out:
                for implementation in ("onednn", "cublas", "openblas"):
                    page.click(pill("impl", implementation))
            names = ["cpu/onednn", "gpu/cublas"] + ([] if left_out else ["cpu/naive", "gpu/naive"])
            page.select_option("#baseline", "cpu/openblas")
            wanted = numbers.geometric_mean(cases, "cpu/openblas", names, "matmul", "f32")
            lines = page.eval_on_selector_all(
                "#means tbody tr", "lines => lines.map(l => [...l.cells].map(c => c.textContent))")
            found = {cells[3].replace(" (a strawman)", "").replace(" ", "/"): cells for cells in lines}
            expect(set(found), set(names), "implementations compared")
            for name, (text, shapes) in wanted.items():
                expect(found[name][4], text, f"the mean of {name}")
                expect(found[name][6].split(" ")[0], str(shapes), f"shapes of {name}")
                expect(found[name][5], "speedup" if name.startswith("gpu") else "ratio", f"the kind of {name}")


# -- order, details, URLs

def sorting(browser):
    cases = cases_of(browser)
    with browser.page("gpu.html") as page:
        head = page.locator("#all-rows thead th", has_text="Time")
        seconds = [case.seconds for case in cases.values() if not case.failure]
        for direction in ("ascending", "descending"):
            head.locator("button").click()
            expect(head.get_attribute("aria-sort"), direction, "aria-sort")
            wanted = [numbers.time_text(each) for each in sorted(seconds, reverse=direction == "descending")]
            lines = shown_rows(page)
            expect([cells[6] for cells in lines if not cells[6].startswith("failed")], wanted, f"times, {direction}")
            expect("failed" in "".join(lines[-1]), True, "the failed row is last")
        page.locator("#all-rows thead th", has_text="Case").locator("button").click()
        labels = [cells[0] for cells in shown_rows(page)]
        expect(labels, sorted(labels, key=lambda text: [int(part) if part.isdigit() else part
                                                        for part in re.split(r"(\d+)", text)]), "cases in order")
        expect(head.get_attribute("aria-sort"), None, "aria-sort of the other column")


def snapshot(page):
    return {"rows": shown_rows(page), "status": page.inner_text("#controls [role=status]"),
            "base": page.input_value("#baseline"), "words": page.input_value("#words"),
            "pressed": page.eval_on_selector_all("[aria-pressed=true]", "all => all.map(b => b.textContent)"),
            "sort": page.eval_on_selector_all("[aria-sort]", "all => all.map(h => h.textContent + h.ariaSort)"),
            "open": page.eval_on_selector_all("#rows > details[open]", "all => all.map(d => d.id)"),
            "chart": page.locator("svg[data-log]").first.inner_html()}


def shared_urls(browser):
    with browser.page("two.html") as page:
        fresh = snapshot(page)
        open_panel(page)
        page.click(pill("op", "matmul"))
        page.click(pill("mode", ""))
        page.fill("#words", "square")
        page.wait_for_timeout(500)
        page.select_option("#baseline", "cpu/openblas")
        page.locator("#all-rows thead th", has_text="Against").locator("button").click()
        page.click("text=Linear heights")
        page.locator("#all-rows tbody tr:visible a").nth(3).click()
        left = snapshot(page)
        expect(len(left["open"]), 1, "rows open")
        expect(page.locator(f"#{left['open'][0]} pre").first.is_visible(), True, "its samples are seen")
        fragment = "#" + page.url.split("#")[1]
        page.go_back()
        page.go_back()
        expect(page.locator("#controls .pill", has_text="Linear heights").get_attribute("aria-pressed"), "false",
               "the scale after going back")
        page.go_forward()
        page.go_forward()
        expect(snapshot(page), left, "the state after going back and forward")
    with browser.page("two.html", fragment) as page:
        expect(snapshot(page), left, "the state of a shared URL")
        page.click("#controls .clear")
        expect(dict(snapshot(page), open=[]), fresh, "the state after Clear")
    with browser.page("two.html", "#rB-3") as page:
        expect(page.locator("#rB-3").get_attribute("open"), "", "a row's plain anchor")
        expect(0 <= page.locator("#rB-3").bounding_box()["y"] < 1000, True, "it is in view")
        page.click("nav >> text=Roofline")
        page.wait_for_function("location.hash === '#roofline'")
        expect(0 <= page.locator("#roofline").bounding_box()["y"] < 1000, True, "a section's anchor is in view")
    with browser.page("two.html", "#op=gone&base=none/such&sort=%&at=%E0%A4%A") as page:
        expect(len(shown_rows(page)), 0, "rows of an operation that isn't there")


def press_until(page, selector, key="Tab", most=400):
    """Moves the focus by keyboard alone to the first element that matches."""
    for _ in range(most):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            expect(outline != "none", True, f"the focus on {selector} is seen")
            return
    raise AssertionError(f"{selector} can't be reached by {key}")


def keyboard_only(browser):
    cases = cases_of(browser)
    with browser.page("gpu.html") as page:
        press_until(page, PANEL)
        page.keyboard.press("Enter")
        press_until(page, pill("op", "matmul"))
        page.keyboard.press("Space")
        press_until(page, pill("device", "gpu"))
        page.keyboard.press("Enter")
        wanted = sum((case.of.op, case.of.device) == ("matmul", "gpu") for case in cases.values())
        expect(len(shown_rows(page)), wanted, "rows chosen by keyboard")
        expect(page.evaluate("document.activeElement.textContent").startswith("gpu"), True, "the focus stays")
        press_until(page, "#words")
        page.keyboard.type("square")
        press_until(page, "#baseline")
        page.keyboard.type("cpu one")
        page.keyboard.press("Tab")
        expect(page.input_value("#baseline"), "cpu/onednn", "the baseline chosen by keyboard")
        press_until(page, "#all-rows th:nth-child(7) button")
        page.keyboard.press("Enter")
        page.keyboard.press("Space")
        expect(page.get_attribute("#all-rows th:nth-child(7)", "aria-sort"), "descending", "sorted by keyboard")
        press_until(page, "#all-rows .pick")
        page.keyboard.press("Enter")
        picked = page.input_value("#baseline")
        expect(picked in ("gpu/cublas", "gpu/naive"), True, "the baseline picked by keyboard")
        press_until(page, "#all-rows th:nth-child(9) button", "Shift+Tab")
        page.keyboard.press("Enter")
        press_until(page, '#all-rows tr:not(:first-child) .pick[aria-pressed="false"]')
        page.keyboard.press("Space")
        expect(page.evaluate("document.activeElement.className"), "pick", "the focus stays where rows change places")
        press_until(page, "#all-rows td a", "Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#rows > details[open]").count(), 1, "the row opened by keyboard")
        expect(page.evaluate("document.activeElement.tagName"), "SUMMARY", "the focus goes to the detail")


CHECKS = [offline_and_strict, without_scripts, filters_choose_rows, filters_choose_blocks, rebasing, geometric_means,
          sorting, shared_urls, keyboard_only]
