// The full table: sorting, the column of ratios, and, where the page holds aggregates only, all rows
// from the embedded data, of which no more than a screenful are in the document.

const kRowHeight = 30;  // pixels, as in page.css
const kOverscan = 12;   // rows above and below what is seen

const severalRuns = runs.length > 1;
const columns = [
  ...(severalRuns ? [{key: 'run', title: 'Run', sort: (row) => runOf[row],
                      text: (row) => runs[runOf[row]].label}] : []),
  {key: 'case', title: 'Case', words: (row) => names[row].label},
  {key: 'device', title: 'Device', words: (row) => names[row].device},
  {key: 'impl', title: 'Implementation', words: (row) => names[row].implementation},
  {key: 'precision', title: 'Precision', words: (row) => names[row].precision},
  {key: 'options', title: 'Options', words: (row) => optionsText(names[row], ['threads'])},
  {key: 'threads', title: 'Threads', sort: (row) => timeOf(row) && column(row, 'threads') || NaN,
   text: (row) => column(row, 'threads') || ''},
  {key: 'time', title: 'Time', sort: (row) => timeOf(row)?.value,
   text: (row) => formatSeconds(timeOf(row).value)},
  {key: 'interval', title: 'Interval', sort: (row) => timeOf(row)?.coverage ? timeOf(row).low : NaN,
   text: (row) => timeOf(row).coverage > 0 ? formatInterval(timeOf(row)) : ''},
  {key: 'against', title: 'Against', sort: (row) => base && ratioOf(row).ratio?.value},
  {key: 'rate', title: 'Rate', sort: rateOf,
   text: (row) => rateOf(row) === null ? '' : rateText(names[row], rateOf(row))},
  {key: 'ceiling', title: 'Of ceiling', sort: (row) => column(row, 'ceiling') ?? NaN,
   text: (row) => column(row, 'ceiling') === null ? '' : formatPercent(column(row, 'ceiling'))},
  {key: 'error', title: 'Error and limit', sort: (row) => counter(row, 'error') ?? NaN,
   text: errorText},
  {key: 'rounds', title: 'Rounds × repetitions', sort: (row) => column(row, 'samples').length || NaN,
   text: (row) => {
     const rounds = column(row, 'samples');
     const samples = rounds.reduce((sum, times) => sum + times.length, 0);
     return `${rounds.length} × ${Math.ceil(samples / rounds.length)}`;
   }},
];

let table = document.getElementById('all-rows');
// Below the limit the document holds every row; then they are sorted and hidden, not made.
const isWhole = table !== null && table.tBodies[0].rows.length === rowCount &&
                table.tHead.rows[0].cells.length === columns.length - 1;
const staticRows = isWhole ? [...table.tBodies[0].rows] : [];

if (!isWhole) {
  table?.removeAttribute('id');
  table = element('table', {id: 'all-rows', class: 'full virtual' + (severalRuns ? ' runs' : '')},
                  element('caption'), element('thead', {}, element('tr')), element('tbody'));
  for (const {title, key} of columns) {
    if (key !== 'against') table.tHead.rows[0].append(element('th', {scope: 'col'}, title));
  }
  const place = document.querySelector('#table .scroll') ?? document.querySelector('#table > *');
  place.after(element('div', {class: 'scroll screenful', tabindex: 0, role: 'region',
                              'aria-label': 'All rows'}, table));
}
const body = table.tBodies[0];
const heads = [...table.tHead.rows[0].cells];
const againstColumn = columns.findIndex(({key}) => key === 'against');
heads.splice(againstColumn, 0, element('th', {scope: 'col'}));
heads[againstColumn - 1].after(heads[againstColumn]);

// Places of all rows in the order of a column; rows without a value stay last both ways.
const natural = Int32Array.from({length: rowCount}, (_, row) => row);
let order = natural;
let sortedBy = '';

function sortValues({words, sort}) {
  if (!words) return Float64Array.from(natural, (row) => sort(row) ?? NaN);
  const texts = Array.from(natural, words);
  const compare = new Intl.Collator('en', {numeric: true}).compare;
  const ranks = new Map([...new Set(texts)].sort(compare).map((text, rank) => [text, rank]));
  return Float64Array.from(texts, (text) => ranks.get(text));
}

function sortRows(by) {
  const down = by.startsWith('-');
  const sortColumn = columns.find(({key}) => key === by.slice(down ? 1 : 0));
  if (!sortColumn) return natural;
  const values = sortValues(sortColumn);
  const sign = down ? -1 : 1;
  return natural.slice().sort((a, b) => {
    const x = values[a];
    const y = values[b];
    if (x === y || x !== x || y !== y) return (x !== x) - (y !== y) || a - b;
    return sign * (x - y);
  });
}

heads.forEach((head, i) => {
  const button = textButton(head.textContent, () => choose((to) => {
    to.sort = (to.sort === columns[i].key ? '-' : '') + columns[i].key;
  }));
  head.replaceChildren(button);
});

// The ratio's cell: made where it is shown first.
function fillAgainst(cell, row) {
  const {ratio, kind, why, isBase} = ratioOf(row);
  cell.className = isBase ? 'base' : 'ratio';
  cell.title = why ?? '';
  if (ratio) cell.replaceChildren(ratioText(ratio) + ' ', element('small', {}, kind));
  else cell.textContent = isBase ? 'baseline' : '–';
}

function baseButton(cell, row) {
  const key = contenderKeys[contenderOf[row]];
  const button = textButton(cell.textContent, () => choose((to) => {
    to.base = to.base === key ? '' : key;
  }), {class: 'pick', title: 'Compare with ' + contenderText(key)});
  cell.replaceChildren(button);
}

const implementationColumn = columns.findIndex(({key}) => key === 'impl');
function updateRow(line, row) {
  const failed = column(row, 'failure') !== null;
  const cell = line.cells[implementationColumn];
  if (groupOf[row] >= 0) {
    if (!cell.firstElementChild) baseButton(cell, row);
    cell.firstElementChild.setAttribute('aria-pressed', base === contenderKeys[contenderOf[row]]);
  }
  if (failed) {
    line.querySelector('.bad').colSpan = base ? 5 : 4;
    return;
  }
  let against = line.querySelector('.ratio,.base');
  if (!base && !against) return;
  if (!against) line.cells[againstColumn - 1].after(against = element('td'));
  against.hidden = !base;
  if (base) fillAgainst(against, row);
}

function makeRow(row) {
  const line = element('tr', {'aria-rowindex': row + 2});
  const failure = column(row, 'failure');
  for (const {key, words, text} of columns) {
    if (key === 'against') continue;
    const cell = element('td');
    if (key === 'case') {
      const link = element('a', {href: '#' + rowId(row)}, visible(names[row].label));
      cell.append(link);
    } else if (failure === null || words || key === 'error' || key === 'run') {
      cell.textContent = visible(String(words ? words(row) : text(row)));
    } else if (key === 'time') {
      cell.className = 'bad';
      cell.textContent = 'failed: ' + visible(failure);
    } else if (['interval', 'rate', 'ceiling'].includes(key)) {
      continue;  // the reason spans them
    }
    cell.title = cell.textContent;
    line.append(cell);
  }
  updateRow(line, row);
  return line;
}

// Moving an element takes its focus away.
function keepFocus(act) {
  const active = document.activeElement;
  act();
  if (active && active !== document.activeElement && active.isConnected) {
    active.focus({preventScroll: true});
  }
}

let listed = [];  // the rows that pass the filters, in order
const made = new Map();
function showWindow() {
  const box = table.parentElement;
  const first = Math.max(0, Math.floor(box.scrollTop / kRowHeight) - kOverscan);
  const last = Math.min(listed.length,
                        Math.ceil((box.scrollTop + box.clientHeight) / kRowHeight) + kOverscan);
  const seen = new Set(listed.slice(first, last));
  for (const row of made.keys()) if (!seen.has(row)) made.delete(row);
  const lines = [...seen].map((row, i) => {
    if (!made.has(row)) made.set(row, makeRow(row));
    made.get(row).setAttribute('aria-rowindex', first + i + 2);
    return made.get(row);
  });
  const space = (rows) => {
    const line = element('tr', {'aria-hidden': 'true', class: 'space'}, element('td'));
    line.style.height = rows * kRowHeight + 'px';
    return line;
  };
  keepFocus(() => body.replaceChildren(space(first), ...lines, space(listed.length - last)));
}
if (!isWhole) {
  let asked = false;
  table.parentElement.addEventListener('scroll', () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      showWindow();
    });
  });
}

let shownBase = '';
let shownOrder = natural;
function showTable(passes) {
  if (state.sort !== sortedBy || /against$/.test(state.sort) && base !== shownBase) {
    order = sortRows(state.sort);
    sortedBy = state.sort;
  }
  listed = order.filter((row) => passes[row]);
  heads[againstColumn].hidden = !base;
  heads[againstColumn].firstChild.textContent = base ? 'Against ' + contenderText(base) : 'Against';
  heads.forEach((head, i) => {
    const {key} = columns[i];
    if (state.sort === key) head.setAttribute('aria-sort', 'ascending');
    else if (state.sort === '-' + key) head.setAttribute('aria-sort', 'descending');
    else head.removeAttribute('aria-sort');
  });
  table.caption.textContent = countText(listed.length);
  if (isWhole) {
    if (base || shownBase) staticRows.forEach(updateRow);
    staticRows.forEach((line, row) => { line.hidden = !passes[row]; });
    if (order !== shownOrder) {
      keepFocus(() => body.replaceChildren(...Array.from(order, (row) => staticRows[row])));
    }
  } else {
    if (base !== shownBase) made.clear();
    table.setAttribute('aria-rowcount', listed.length + 1);
    showWindow();
  }
  shownBase = base;
  shownOrder = order;
}

const countText = (count) =>
    count === rowCount ? `${rowCount} cases` : `${count} of ${rowCount} cases`;
if (isWhole) staticRows.forEach(updateRow);
