"""Checks of page_test: charts along linear axes, downloads, accessibility, narrow screens, print, many rows."""
import csv
import io
import json
import xml.etree.ElementTree as ElementTree

import page_numbers as numbers
from page_checks import cases_of, expect, key_of, open_panel, pill, row_key, shown_rows


def linear_charts(browser):
    with browser.page("gpu.html") as page:
        open_panel(page)
        before = page.eval_on_selector_all("svg[data-log]", "all => all.map(svg => svg.outerHTML)")
        page.click("text=Linear heights")
        page.click("text=Linear sizes")
        # Each marker must stand where the ticks beside it say that its value is.
        worst = page.eval_on_selector_all("svg[data-log]", """all => Math.max(...all.map(svg => {
          const value = text => parseFloat(text) * ({k: 1e3, M: 1e6, G: 1e9, T: 1e12}[text.slice(-1)] || 1);
          const place = (group, axis) => {
            const ticks = [...group.querySelectorAll('text:not(:last-child)')].map(
                t => [value(t.textContent), +t.getAttribute(axis) - (axis === 'y' ? 4 : 0)]);
            const [[a, from], [b, to]] = [ticks[0], ticks.at(-1)];
            return v => from + (v - a) / (b - a) * (to - from);
          };
          const [xs, ys] = svg.querySelectorAll(':scope > g.ax');
          const x = place(xs, 'x'), y = place(ys, 'y');
          let worst = 0;
          for (const group of svg.querySelectorAll('[data-p]')) {
            const markers = group.querySelector(':scope > g')?.children ?? [];
            group.dataset.p.split(';').forEach((text, i) => {
              const [px, py] = text.split(',').map(Number);
              if (!markers[i]) return;
              const box = markers[i].getBBox();
              const moved = markers[i].transform.baseVal.consolidate().matrix;
              worst = Math.max(worst, Math.abs(box.x + box.width / 2 + moved.e - x(px)),
                               Math.abs(box.y + box.height / 2 + moved.f - y(py)));
            });
          }
          return worst;
        }))""")
        expect(worst < 1, True, f"markers stand at their values (off by {worst:.2f} px)")
        page.screenshot(path=browser.folder / "linear.png")
        page.click("text=Linear heights")
        page.click("text=Linear sizes")
        after = page.eval_on_selector_all("svg[data-log]", "all => all.map(svg => svg.outerHTML)")
        expect(after == before, True, "charts as before")
    return f"markers off by at most {worst:.2f} px"


def downloads(browser):
    cases = cases_of(browser)
    with browser.page("gpu.html", accept_downloads=True) as page:
        def saved(selector):
            with page.expect_download() as waiting:
                page.click(selector)
            return waiting.value.suggested_filename, waiting.value.path().read_text()

        open_panel(page)
        page.click(pill("device", "gpu"))
        page.select_option("#baseline", "cpu/openblas")
        name, text = saved("text=Download the rows shown as CSV")
        lines = list(csv.DictReader(io.StringIO(text)))
        expect((name, len(lines)), ("breakeven-rows.csv", sum(case.of.device == "gpu" for case in cases.values())),
               "rows of the CSV")
        line = next(each for each in lines if each["shape"] == "square_1024" and each["implementation"] == "cublas")
        base = cases["matmul/square_1024/cpu/openblas/f32"]
        ratio, low, high = numbers.estimate(list(numbers.log_ratios(
            base, cases["matmul/square_1024/gpu/cublas/f32"]).values()))
        for key, wanted in {"ratio": ratio, "ratio_low": low, "ratio_high": high}.items():
            expect(abs(float(line[key]) / wanted - 1) < 1e-8, True, f"{key} of the CSV")
        expect(line["kind"], "speedup", "kind of the CSV")
        data = json.loads(saved("text=Download JSON")[1])
        expect(len(data["runs"][0]["cases"]["name"]), len(cases), "cases of the JSON")
        samples = saved("text=Download samples as CSV")[1].splitlines()
        expect(len(samples) - 1, sum(len(times) for case in cases.values() for times in case.samples.values()),
               "samples of the CSV")
        name, text = saved("figure:visible .save >> nth=0")
        drawing = ElementTree.fromstring(text)
        tags = [element.tag.split("}")[1] for element in drawing.iter()]
        expect((drawing.tag, tags[1]), ("{http://www.w3.org/2000/svg}svg", "style"), f"the drawing {name}")
        expect("stroke=\"#0072b2\"" in text and "--c:#5ab4f0" in text.replace(" ", ""), True, "its colours")


PAGES = (("two", "#base=cpu/openblas"), ("recorded", "#base=cpu/openblas"))


def accessible(browser):
    from axe_playwright_python.sync_playwright import Axe
    for name, fragment in PAGES:
        for width in (1440, 390):
            for scheme in ("light", "dark"):
                with browser.page(f"{name}.html", fragment, width, color_scheme=scheme) as page:
                    open_panel(page)
                    page.click(pill("precision", "f32"))
                    page.screenshot(path=browser.folder / f"{name}-{width}-{scheme}.png")
                    found = Axe().run(page).response["violations"]
                    grave = [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found
                             if each["impact"] in ("serious", "critical")]
                    expect(grave, [], f"violations of {name} at {width} px, {scheme}")


def narrow(browser):
    for name, fragment in PAGES:
        with browser.page(f"{name}.html", fragment, 390) as page:
            open_panel(page)
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            expect(wide <= 0, True, f"nothing of {name} wider than the screen ({wide} px)")


def motion_and_print(browser):
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    for wish, wanted in (("reduce", "auto"), ("no-preference", "smooth")):
        with browser.page("gpu.html", reduced_motion=wish) as page:
            expect(page.evaluate(behaviour), wanted, f"scrolling with motion {wish}")
            page.emulate_media(media="print")
            expect(page.locator("#controls").is_visible(), False, "filters in print")
            expect(page.locator("#all-rows").is_visible(), True, "the table in print")


def many_rows(browser):
    cases = cases_of(browser, "many")
    with browser.page("many.html") as page:
        expect(page.locator("#all-rows tbody tr").count() < 200, True, "few rows in the document")
        open_panel(page)
        page.click(pill("op", "reduce"))
        page.click(pill("precision", "f16"))
        wanted = [case for case in cases.values() if (case.of.op, case.of.precision) == ("reduce", "f16")]
        expect(page.inner_text("#controls [role=status]").split(" of ")[0], str(len(wanted)), "rows filtered")
        page.locator("#all-rows thead th", has_text="Time").locator("button").click()
        page.select_option("#baseline", "cpu/openblas")
        found = []
        box = page.locator(".screenful")
        for at in range(0, 30 * len(wanted), 300):
            box.evaluate("(box, at) => { box.scrollTop = at; }", at)
            page.wait_for_timeout(50)
            found += [tuple(cells) for cells in shown_rows(page) if len(cells) > 1]
        by_time = sorted(wanted, key=lambda case: case.seconds)
        expect(list(dict.fromkeys(cells[6] for cells in found)),
               list(dict.fromkeys(numbers.time_text(case.seconds) for case in by_time)), "times while scrolling")
        expect({row_key(cells): cells[8] for cells in found},
               {key_of(case): numbers.against(cases, "cpu/openblas", case) for case in wanted}, "ratios")
        last = page.locator("#all-rows td a").last
        name = last.inner_text()
        last.click()
        expect(page.locator("#rows > details[open] code").first.inner_text().startswith(name), True, "its detail")
        expect("breakeven run" in page.inner_text("#rows > details[open]"), True, "its command")
        left = page.url.split("#")[1]
    with browser.page("many.html", "#" + left) as page:
        expect(page.locator("#rows > details[open] code").first.inner_text().startswith(name), True,
               "the detail of a shared URL")


CHECKS = [linear_charts, downloads, accessible, narrow, motion_and_print, many_rows]
