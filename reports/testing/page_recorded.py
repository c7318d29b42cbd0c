"""Checks of page_test on the page of a recorded standard run: real rows, more than a page lists samples of."""
import page_numbers as numbers
from page_checks import cases_of, expect, key_of, row_key, shown_rows


def row_id(page, case):
    """The fragment of the case's detail, from the table's link."""
    return page.evaluate("""name => [...document.querySelectorAll('#rows > details')].find(
        detail => detail.querySelector('code').textContent === name).id""", case.name)


def unit_of(seconds):
    value, unit = numbers.time_text(seconds).split()
    return unit, {"ns": 1e9, "µs": 1e6, "ms": 1e3, "s": 1}[unit]


def lines_of(case):
    """Every sample as its detail lists it."""
    unit, factor = unit_of(case.seconds)
    return [unit, *(f"{number}: " + " ".join(numbers.number(seconds * factor) for seconds in case.samples[number])
                    for number in sorted(case.samples))]


def recorded_figures(browser):
    cases = cases_of(browser, "recorded")
    with browser.page("recorded.html") as page:
        found = {(*row_key(cells), cells[5]): cells[6] for cells in shown_rows(page)}
        expect(found, {(*key_of(case), f"{case.row['threads']}"): numbers.time_text(case.seconds)
                       for case in cases.values()}, "times")
    return f"{len(cases)} times"


def recorded_samples(browser):
    cases = [case for case in cases_of(browser, "recorded").values() if not case.failure]
    chosen = cases[::max(1, len(cases) // 10)]
    with browser.page("recorded.html") as page:
        for case in chosen:
            detail = page.locator("#" + row_id(page, case))
            detail.locator("summary").click()
            expect(detail.locator("pre").first.inner_text().rstrip("\n").split("\n"), lines_of(case),
                   f"samples of {case.name}")
            expect(detail.locator("svg.strip").count(), 1, f"the strip of {case.name}")
            expect(case.name.split("/")[1] in detail.locator("pre").last.inner_text(), True, "the command")
    with browser.page("recorded.html", java_script_enabled=False) as page:
        case = chosen[0]
        unit, factor = unit_of(case.seconds)
        medians = [numbers.number(case.rounds[number] * factor) for number in sorted(case.rounds)]
        detail = page.locator(f"#rows > details:has(code:text-is('{case.name}'))")
        detail.locator("summary").click()
        expect(detail.locator("pre").first.inner_text(), " ".join([unit, *medians]), "medians without scripts")
    return f"of {len(chosen)} rows"


CHECKS = [recorded_figures, recorded_samples]
