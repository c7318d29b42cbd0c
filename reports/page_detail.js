// A row's detail: unfolded where the page holds it, else made from the embedded data.

function reproduceText(row) {
  const {name, implementation} = names[row];
  const regex = '^' + name.replace(/[.[\]{}()\\*+?^$|]/g, '\\$&') + '$';
  const [ours, framework] = runs[runOf[row]].reproduce;
  const command = implementation.startsWith('pytorch_') ? framework : ours;
  const quoted = "'" + regex.replaceAll("'", "'\\''") + "'";
  return visible(command.split("'^CASE$'").join(quoted), Infinity);
}

function makeSamples(row, time) {
  const unit = secondsUnit(time.value);
  const rounds = roundsOf(row);
  const lines = samplesOf(row).map((times, i) => {
    const shown = times.map((each) => formatNumber(each * 1e-9 * unit.factor)).join(' ');
    return `${rounds[i]}: ${shown}\n`;
  });
  return element('pre', {class: 'samples'}, `${unit.name}\n${lines.join('')}`);
}

// As html_rows.cpp draws it: a tick for each sample from the fastest to the slowest, the median's long.
function makeStrip(row, time) {
  const times = sorted(samplesOf(row).flat().map((nanoseconds) => nanoseconds * 1e-9));
  const [low, high] = [times[0], times.at(-1)];
  if (!(high > low)) return '';
  const place = (seconds) => Math.round(232 * (seconds - low) / (high - low));
  let dashes = '1';
  let last = 0;
  for (const seconds of times) {
    const next = place(seconds);
    if (next <= last + 1) continue;
    dashes += ` ${next - last - 1} 1`;
    last = next;
  }
  const strip = svgElement('svg', {class: 'strip', width: 240, height: 18, stroke: '#0072b2', 'aria-hidden': 'true'});
  strip.append(svgElement('path', {d: 'M4 9h233', 'stroke-width': 8, 'stroke-dasharray': dashes}),
               svgElement('path', {class: 'm', d: `M${4 + place(time.value)}.5 1v16`}));
  return strip;
}

function makeDetail(row) {
  const failure = column(row, 'failure');
  const time = timeOf(row);
  const detail = element(
      'details', {id: rowId(row)},
      element('summary', {}, element('code', {}, visible(names[row].name, 2000)),
              ' ' + (time ? formatSeconds(time.value) : 'failed')));
  if (time) {
    detail.append(makeStrip(row, time), makeSamples(row, time));
  } else {
    detail.append(element('p', {class: 'bad'}, visible(failure, 2000)));
  }
  const {counters, texts} = runs[runOf[row]].cases;
  const remarks = [];
  for (const group of [counters, texts]) {
    for (const key of Object.keys(group).sort()) {
      const value = kindValue(row, group[key]);
      if (value !== null) remarks.push(`${visible(key)}: ${visible(String(value), 2000)}`);
    }
  }
  detail.append(element('p', {}, remarks.join(' · ')), element('pre', {}, reproduceText(row)));
  return detail;
}

const details = document.getElementById('rows');
function detailOf(row) {
  const known = document.getElementById(rowId(row));
  if (known || isWhole) return known;
  // One at a time: a hundred thousand of them would be no page any more.
  details.querySelector('details.made')?.remove();
  const detail = makeDetail(row);
  detail.classList.add('made');
  details.append(detail);
  return detail;
}

// Shows what the fragment points to.
function showAnchor(scrolls) {
  const row = rowOfId(state.at);
  const target = row >= 0 ? detailOf(row) : document.getElementById(state.at);
  if (!target) return;
  target.hidden = false;
  if (target.tagName === 'DETAILS') target.open = true;
  if (!scrolls) return;
  openPanel(false);  // it would lie over what the link leads to
  target.scrollIntoView();
  // The keyboard goes on from there, as after any link.
  const focused = target.tagName === 'DETAILS' ? target.firstElementChild : target;
  if (focused === target) target.tabIndex = -1;
  focused.focus({preventScroll: true});
}

const listsMedians = details.querySelector('[data-medians]') !== null;

details.addEventListener('toggle', ({target}) => {
  const row = rowOfId(target.id);
  if (row < 0) return;
  const time = target.open ? timeOf(row) : null;
  const times = target.querySelector('pre');
  if (time && !target.querySelector('.strip')) times.before(makeStrip(row, time));
  if (time && listsMedians && times.className === '') times.replaceWith(makeSamples(row, time));
  if (target.open) state.at = target.id;
  else if (state.at === target.id) state.at = '';
  writeState(false);
}, true);

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const at = decodeURIComponent(link.getAttribute('href').slice(1));
  choose((to) => { to.at = at; });
  showAnchor(true);
});
