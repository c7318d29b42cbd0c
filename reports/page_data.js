// The embedded data as rows: a row is a case of a run, numbered through all runs in the order of the
// file. What filters ask of every row is worked out once.

const runs = JSON.parse(document.getElementById('data').textContent).runs;
const rowCount = runs.reduce((sum, run) => sum + run.cases.name.length, 0);
const runOf = new Int32Array(rowCount);
const indexOf = new Int32Array(rowCount);  // in its run
const firstRow = [];
const names = [];  // {name, op, shape, device, implementation, precision, options, label}
const lowered = [];

// As reports/case_name.cpp splits a name; options are sorted pairs of key and text.
function splitName(name) {
  const parts = name.split('/');
  if (parts.length < 5 || (parts[2] !== 'cpu' && parts[2] !== 'gpu')) {
    return {name, op: name, shape: '', device: '', implementation: '', precision: '', options: [],
            label: name};
  }
  const [op, shape, device, implementation, precision] = parts;
  const options = parts.slice(5).map((text) => [text.split(':')[0], text]);
  if (options.length > 1) options.sort((a, b) => a[0] < b[0] ? -1 : 1);
  return {name, op, shape, device, implementation, precision, options, label: op + '/' + shape};
}

{
  let row = 0;
  runs.forEach((run, r) => {
    firstRow.push(row);
    run.cases.name.forEach((name, i) => {
      runOf[row] = r;
      indexOf[row++] = i;
      names.push(splitName(name));
      const failure = run.cases.failure[i];
      lowered.push((name + (failure === null ? '' : '\nfailed: ' + failure)).toLowerCase());
    });
  });
}

const optionsText = (name, without = []) =>
    name.options.filter(([key]) => !without.includes(key)).map(([, text]) => text).join(' ');

// The same ids as the static page's.
const rowId = (row) => `r${runs[runOf[row]].label}-${indexOf[row]}`;
function rowOfId(id) {
  const match = /^r(.*)-(\d+)$/.exec(id);
  const run = match ? runs.findIndex(({label}) => label === match[1]) : -1;
  return run >= 0 && +match[2] < runs[run].cases.name.length ? firstRow[run] + +match[2] : -1;
}

const column = (row, key) => runs[runOf[row]].cases[key][indexOf[row]];
const roundsOf = (row) => runs[runOf[row]].cases.schedules[column(row, 'schedule')];

// Of a counter or text its cases are listed in order, unless all have it; null where this one hasn't.
function kindValue(row, {cases: list, value: values, text: texts}) {
  const index = indexOf[row];
  let place = index;
  if (list !== undefined) {
    const cases = runs[runOf[row]].cases.case_lists[list];
    let end = cases.length;
    place = 0;
    while (place < end) {
      const middle = (place + end) >> 1;
      if (cases[middle] < index) place = middle + 1;
      else end = middle;
    }
    if (cases[place] !== index) return null;
  }
  return texts ? texts[values[place]] : values[place];
}
function counter(row, key) {
  const {counters} = runs[runOf[row]].cases;
  return Object.hasOwn(counters, key) ? kindValue(row, counters[key]) : null;
}
const verified = (row) => column(row, 'verified') === 1;

// Nanoseconds, by round.
function samplesOf(row) {
  const unit = column(row, 'unit_nanoseconds');
  return column(row, 'samples').map((samples) => samples.map((value) => value * unit));
}

// Seconds of every round, in order of their numbers: multiplied where C++ multiplies, so that a value
// between two shown digits is rounded to the same one.
const medianCache = new Array(rowCount);
function mediansOf(row) {
  return medianCache[row] ??= samplesOf(row).map(
      (samples) => sortedMedian(sorted(samples.map((nanoseconds) => nanoseconds * 1e-9))));
}

// Seconds over rounds, null where the case failed; kept, since medians need sorting.
const timeCache = new Array(rowCount);
function timeOf(row) {
  if (timeCache[row] === undefined) {
    const rounds = mediansOf(row);
    timeCache[row] = rounds.length ? medianEstimate(rounds) : null;
  }
  return timeCache[row];
}

function rateOf(row) {
  const time = timeOf(row);
  const work = counter(row, names[row].op === 'stream' ? 'bytes' : 'flops');
  return time && work > 0 ? work / time.value : null;
}

function errorText(row) {
  const error = counter(row, 'error');
  const tolerance = counter(row, 'tolerance');
  if (error === null) return tolerance === null ? '' : 'limit ' + formatScientific(tolerance);
  if (tolerance === null) return formatScientific(error);
  return `${formatScientific(error)} ${error <= tolerance ? '≤' : '>'} ${formatScientific(tolerance)}`;
}

// What filters choose by. A row has one value of each facet; a value may stand for several choices
// (options). `ids` and `values` index each other; `choices` maps a value to what selects it.
function makeFacet(key, title, valueOf, shown, choicesOf = (value) => [value]) {
  const known = new Map();
  const ids = new Int32Array(rowCount);
  for (let row = 0; row < rowCount; ++row) {
    const value = valueOf(row);
    let id = known.get(value);
    if (id === undefined) known.set(value, id = known.size);
    ids[row] = id;
  }
  const values = [...known.keys()];
  return {key, title, ids, values, shown, choices: values.map(choicesOf)};
}

const plain = (value) => visible(value, 60) || '(none)';
const facets = [
  makeFacet('op', 'Operation', (row) => names[row].op, plain),
  makeFacet('device', 'Device', (row) => names[row].device, plain),
  makeFacet('precision', 'Precision', (row) => names[row].precision, plain),
  makeFacet('mode', 'Mode', (row) => optionsText(names[row]),
            (value) => visible(value) || 'default',
            (value) => value === '' ? [''] : value.split(' ')),
  makeFacet('impl', 'Implementation', (row) => names[row].implementation, plain),
  makeFacet('run', 'Machine', (row) => runs[runOf[row]].label, (value) => {
    const run = runs.find(({label}) => label === value);
    return `${value}: ${visible(run ? run.machine : '')}`;
  }),
];
