// Filters: which rows and blocks are shown, and the bar that chooses them.

const kMostPills = 24;

let words = null;  // those that `worded` was worked out for
const worded = new Uint8Array(rowCount).fill(1);
function matchWords() {
  if (words === state.words) return;
  words = state.words;
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
  for (let row = 0; row < rowCount; ++row) {
    worded[row] = parts.every((part) => lowered[row].includes(part));
  }
}

// Which rows pass, and of every choice how many rows would pass if it alone decided in its group.
const passes = new Uint8Array(rowCount);
function filterRows() {
  matchWords();
  const allowed = facets.map(({key, choices}) => {
    const chosen = state.chosen[key];
    return Uint8Array.from(choices, (each) => !chosen.size || each.some((one) => chosen.has(one)));
  });
  const counts = facets.map(({values}) => new Uint32Array(values.length));
  for (let row = 0; row < rowCount; ++row) {
    passes[row] = 0;
    if (!worded[row]) continue;
    let refused = -1;
    let refusals = 0;
    for (let f = 0; f < facets.length && refusals < 2; ++f) {
      if (allowed[f][facets[f].ids[row]]) continue;
      refused = f;
      ++refusals;
    }
    if (refusals > 1) continue;
    if (refusals === 1) {
      ++counts[refused][facets[refused].ids[row]];
      continue;
    }
    passes[row] = 1;
    for (let f = 0; f < facets.length; ++f) ++counts[f][facets[f].ids[row]];
  }
  return counts;
}

// The bar.
const bar = element('section', {id: 'controls', 'aria-label': 'Filter and compare'});
const panel = element('div', {id: 'controls-panel', hidden: ''});
const status = element('p', {role: 'status'});
const toggle = textButton('Filter and compare', () => openPanel(panel.hidden),
                          {'aria-expanded': 'false', 'aria-controls': 'controls-panel'});
const clear = textButton('Clear', () => choose((to) => {
  const at = to.at;
  Object.assign(to, emptyState(), {at});
}), {class: 'clear', hidden: ''});

function openPanel(open) {
  panel.hidden = !open;
  toggle.setAttribute('aria-expanded', open);
}

function pillGroup(facet) {
  const total = new Map();  // choice -> rows
  for (let row = 0; row < rowCount; ++row) {
    for (const choice of facet.choices[facet.ids[row]]) {
      total.set(choice, (total.get(choice) ?? 0) + 1);
    }
  }
  facet.pills = new Map();
  if (total.size < 2) return [];
  const commonest = [...total.keys()].sort((a, b) => total.get(b) - total.get(a));
  const shown = commonest.slice(0, kMostPills);
  for (const choice of state.chosen[facet.key]) {
    if (total.has(choice) && !shown.includes(choice)) shown.push(choice);
  }
  const group = element('fieldset', {}, element('legend', {}, facet.title));
  for (const choice of shown) {
    const pill = textButton(facet.shown(choice) + ' ', () => choose(({chosen}) => {
      if (!chosen[facet.key].delete(choice)) chosen[facet.key].add(choice);
    }), {'aria-pressed': 'false', class: 'pill', 'data-facet': facet.key, 'data-choice': choice});
    pill.append(element('span'));
    facet.pills.set(choice, pill);
    group.append(pill);
  }
  if (total.size > shown.length) {
    group.append(element('small', {}, `and ${total.size - shown.length} more: use the words`));
  }
  return [group];
}

function baseSelect() {
  const counts = new Map();
  for (let row = 0; row < rowCount; ++row) {
    if (groupOf[row] >= 0) counts.set(contenderOf[row], (counts.get(contenderOf[row]) ?? 0) + 1);
  }
  const select = element('select', {id: 'baseline'}, element('option', {value: ''}, 'nothing'));
  for (const device of ['cpu', 'gpu']) {
    const keys = [...counts.keys()].map((id) => contenderKeys[id])
                     .filter((key) => key.startsWith(device + '/')).sort();
    if (!keys.length) continue;
    select.append(element('optgroup', {label: device.toUpperCase()}, ...keys.map(
        (value) => element('option', {value}, contenderText(value)))));
  }
  select.addEventListener('change', () => choose((to) => { to.base = select.value; }));
  return select;
}

function axisButton(axis, label) {
  return textButton(label, () => choose((to) => {
    to.axes = ['x', 'y'].filter((each) => to.axes.includes(each) !== (each === axis)).join('');
  }), {'aria-pressed': 'false', class: 'pill'});
}

const search = element('input', {type: 'search', id: 'words',
                                 placeholder: 'Rows that hold all of these words'});
let typing = 0;
search.addEventListener('input', () => {
  state.words = search.value;
  show();
  clearTimeout(typing);
  typing = setTimeout(() => writeState(false), 300);
});

const select = baseSelect();
const linear = {x: axisButton('x', 'Linear sizes'), y: axisButton('y', 'Linear heights')};
const hasCharts = document.querySelector('svg[data-log]') !== null;

function buildBar() {
  panel.append(...facets.flatMap(pillGroup),
               element('div', {class: 'fields'}, element('label', {for: 'words'}, 'Words'), search,
                       element('label', {for: 'baseline'}, 'Compare with'), select,
                       ...(hasCharts ? [element('fieldset', {}, element('legend', {}, 'Charts'),
                                                linear.x, linear.y)] : [])));
  bar.append(element('div', {class: 'bar'}, toggle, status, clear), panel);
  document.querySelector('main').prepend(bar);
}

// Blocks that belong to one operation, precision, device or machine, with what they say of it.
const blocks = [...document.querySelectorAll('main [data-op],main [data-device],main [data-run]')]
                   .filter((block) => !bar.contains(block));
const notes = new Map();  // section -> the line that counts what is hidden there
function showBlocks() {
  const hidden = new Map();
  for (const block of blocks) {
    block.hidden = ['run', 'op', 'precision', 'device'].some((key) => {
      const chosen = state.chosen[key];
      return block.dataset[key] !== undefined && chosen.size &&
          ![...chosen].some((one) => visible(one, Infinity) === block.dataset[key]);
    });
    const section = block.closest('section');
    hidden.set(section, (hidden.get(section) ?? 0) + block.hidden);
  }
  for (const [section, count] of hidden) {
    if (!count && !notes.has(section)) continue;
    if (!notes.has(section)) {
      notes.set(section, element('p', {class: 'none hidden-blocks'}));
      section.querySelector('h2').after(notes.get(section));
    }
    notes.get(section).hidden = !count;
    notes.get(section).textContent =
        `Hidden by the filter: ${count} ${count === 1 ? 'chart or table' : 'charts or tables'} of other ` +
        'operations, devices, precisions or machines. Modes, implementations and words choose rows of the ' +
        'full table only.';
  }
  for (const detail of details.querySelectorAll(':scope > details')) {
    const row = rowOfId(detail.id);
    detail.hidden = row >= 0 && !passes[row] && detail.id !== state.at;
  }
}

function showBar(counts) {
  facets.forEach((facet, f) => {
    const byChoice = new Map();
    facet.choices.forEach((choices, id) => choices.forEach(
        (choice) => byChoice.set(choice, (byChoice.get(choice) ?? 0) + counts[f][id])));
    for (const [choice, pill] of facet.pills) {
      pill.setAttribute('aria-pressed', state.chosen[facet.key].has(choice));
      pill.lastChild.textContent = byChoice.get(choice);
      pill.classList.toggle('empty', !byChoice.get(choice));
    }
  });
  if (document.activeElement !== search) search.value = state.words;
  select.value = base;
  for (const axis of ['x', 'y']) linear[axis].setAttribute('aria-pressed', state.axes.includes(axis));
  const said = facets.flatMap(({key, shown}) => [...state.chosen[key]].map(shown));
  if (state.words.trim()) said.push('“' + visible(state.words.trim()) + '”');
  if (base) said.push('against ' + contenderText(base));
  if (state.axes) said.push('linear axes');
  status.textContent = [countText(listed.length), ...said].join(' · ');
  clear.hidden = !said.length && !state.sort;
}
