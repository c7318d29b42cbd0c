// Sorts and filters the full table, opens the row a link points to, offers downloads. The page
// says everything without it.
(() => {
  'use strict';
  const table = document.getElementById('all-rows');
  const body = table.tBodies[0];
  const key = (cell) => {
    if (!cell) return '';
    const text = cell.dataset.v || cell.textContent;
    const number = parseFloat(text);
    return Number.isNaN(number) || /^[a-z]/i.test(text) ? text : number;
  };
  const compare = (a, b) => {
    if (a === '' || b === '') return a === b ? 0 : a === '' ? 1 : -1;
    if (typeof a === 'number' && typeof b === 'number') return a - b;
    return String(a).localeCompare(String(b), 'en', {numeric: true});
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button');
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') === 'ascending';
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      // A failed row spans columns and has no value there: it stays last both ways.
      const rows = [...body.rows].map((row) => {
        const spans = row.querySelector('[colspan]');
        return {row, value: spans && column > spans.cellIndex - 1 ? '' : key(row.cells[column])};
      });
      const sign = down ? -1 : 1;
      rows.sort((a, b) => a.value === '' || b.value === '' ? compare(a.value, b.value)
                                                           : sign * compare(a.value, b.value));
      body.replaceChildren(...rows.map((entry) => entry.row));
    });
  });

  const tools = document.createElement('div');
  tools.className = 'tools';
  const input = document.createElement('input');
  input.type = 'search';
  input.placeholder = 'Show rows that hold all of these words';
  input.setAttribute('aria-label', 'Filter the table');
  const count = table.caption;
  input.addEventListener('input', () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) ++shown;
    }
    count.textContent = shown === body.rows.length ? shown + ' cases'
                                                   : shown + ' of ' + body.rows.length + ' cases';
  });
  tools.append(input);
  table.parentElement.before(tools);

  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === 'DETAILS') {
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener('hashchange', open);
  open();

  const save = (name, type, text) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], {type}));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const data = document.getElementById('data').textContent;
  const csv = () => {
    // A leading = + - @ would be run as a formula by a spreadsheet.
    const quote = (value) => '"' + String(value).replace(/^[=+\-@]/, "'$&").replace(/"/g, '""') + '"';
    const lines = ['file,case,round,repetition,nanoseconds'];
    for (const run of JSON.parse(data).runs) {
      const cases = run.cases;
      cases.name.forEach((name, c) => cases.nanoseconds[c].forEach((samples, i) => samples.forEach(
          (time, j) => lines.push(
              [quote(run.file), quote(name), cases.round[c][i], j, time].join(',')))));
    }
    return lines.join('\n') + '\n';
  };
  const place = document.getElementById('downloads');
  place.append(document.createElement('br'));
  for (const [label, act] of [
    ['Download JSON', () => save('breakeven-data.json', 'application/json', data)],
    ['Download samples as CSV', () => save('breakeven-samples.csv', 'text/csv', csv())],
  ]) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = label;
    button.addEventListener('click', act);
    place.append(button);
  }
})();
