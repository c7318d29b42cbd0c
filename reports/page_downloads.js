// What can be taken away: the data, samples and rows as CSV, charts as SVG.

function save(name, type, text) {
  const link = element('a', {href: URL.createObjectURL(new Blob([text], {type})), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// A leading = + - @ would be run as a formula by a spreadsheet; of numbers it is a sign.
function quoted(value) {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return Number.isNaN(value) ? '' : String(value);
  return '"' + value.replace(/^[=+\-@\t\r]/, "'$&").replace(/"/g, '""') + '"';
}
const csvOf = (lines) => lines.map((line) => line.map(quoted).join(',')).join('\n') + '\n';

function samplesCsv() {
  const lines = ['file,case,round,repetition,nanoseconds'];
  for (let row = 0; row < rowCount; ++row) {
    const start = [quoted(runs[runOf[row]].file), quoted(names[row].name)];
    const rounds = roundsOf(row);
    samplesOf(row).forEach((samples, i) => samples.forEach(
        (time, j) => lines.push([...start, rounds[i], j, +time.toPrecision(12)].join(','))));
  }
  return lines.join('\n') + '\n';
}

// The rows that the table shows, in its order, with all digits.
function tableCsv() {
  const lines = [['file', 'operation', 'shape', 'device', 'implementation', 'precision', 'options',
                  'threads', 'seconds', 'seconds_low', 'seconds_high', 'coverage', 'per_second', 'per_second_unit',
                  'share_of_ceiling', 'error', 'tolerance', 'verified', 'rounds', 'failure',
                  'baseline', 'ratio', 'ratio_low', 'ratio_high', 'ratio_coverage', 'kind']];
  for (const row of listed) {
    const name = names[row];
    const time = timeOf(row);
    const {ratio, kind} = base ? ratioOf(row) : {};
    lines.push([runs[runOf[row]].file, name.op, name.shape, name.device, name.implementation,
                name.precision, optionsText(name, ['threads']), column(row, 'threads'), time?.value,
                time?.low, time?.high, time?.coverage, rateOf(row),
                rateOf(row) === null ? null : rateUnit(name).slice(1), column(row, 'ceiling'),
                counter(row, 'error'), counter(row, 'tolerance'), column(row, 'verified'),
                column(row, 'samples').length, column(row, 'failure'), base || null, ratio?.value,
                ratio?.low, ratio?.high, ratio?.coverage, kind]);
  }
  return csvOf(lines);
}

// The rules that recolour a chart for dark backgrounds go with it.
function darkRules() {
  const rules = [];
  for (const media of document.styleSheets[0]?.cssRules ?? []) {
    if (!media.conditionText?.includes('dark')) continue;
    for (const rule of media.cssRules) {
      if (/^\.(bg|ax|gr|fr|lv|lt|st|fi|s\d)$/.test(rule.selectorText)) rules.push(rule.cssText);
    }
  }
  return `@media (prefers-color-scheme:dark){${rules.join('')}}`;
}

function chartFile(svg) {
  const copy = svg.cloneNode(true);
  copy.prepend(svgElement('style', {}, darkRules()));
  return new XMLSerializer().serializeToString(copy) + '\n';
}

document.getElementById('downloads').append(
    element('br'),
    textButton('Download JSON', () => save('breakeven-data.json', 'application/json',
                                           document.getElementById('data').textContent)),
    textButton('Download samples as CSV', () => save('breakeven-samples.csv', 'text/csv', samplesCsv())),
    textButton('Download the rows shown as CSV',
               () => save('breakeven-rows.csv', 'text/csv', tableCsv())));
for (const figure of document.querySelectorAll('figure')) {
  if (!figure.querySelector('svg.chart')) continue;
  const caption = figure.querySelector('figcaption');
  caption.append(' ', textButton('SVG', () => save(
      figure.id + '.svg', 'image/svg+xml', chartFile(figure.querySelector('svg.chart'))),
      {class: 'save', 'aria-label': `Download ${caption.textContent} as SVG`}));
}
