// Charts along linear axes: the drawing of reports/svg.cpp with its marks, ticks and labels moved. The
// values stand in data- attributes; each redrawing starts from the original.

const kLabelSpacing = 17;
const kMarkerHeight = 4;
const short = (value) => String(Math.round(value * 10) / 10);
const numbers = (text) => text.split(',').map(Number);

function tickLabel(value) {
  for (const [factor, suffix] of [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e4, 'k']]) {
    if (value < factor) continue;
    return +(value / (suffix === 'k' ? 1e3 : factor)).toPrecision(3) + suffix;
  }
  return String(+value.toPrecision(4));
}

function niceStep(span, most) {
  const decade = 10 ** Math.floor(Math.log10(span / most));
  return decade * ([1, 2, 5].find((factor) => decade * factor >= span / most) ?? 10);
}

// As AxisScale of reports/scale.cpp.
function makeScale(isLog, values, from, to) {
  let low = Math.min(...values);
  let high = Math.max(...values);
  if (isLog) {
    const margin = Math.max(Math.log(high / low) * 0.06, Math.log(1.15));
    low *= Math.exp(-margin);
    high *= Math.exp(margin);
    return {pixel: (value) => from + Math.log(value / low) / Math.log(high / low) * (to - from)};
  }
  const margin = Math.max((high - low) * 0.06, Math.abs(high) * 1e-3);
  high += margin > 0 ? margin : 1;
  if (low !== 0) low -= margin;
  const step = niceStep(high - low, 6);
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; ++i) ticks.push(i * step);
  return {pixel: (value) => from + (value - low) / (high - low) * (to - from), ticks};
}

const svgElement = (name, attributes, text = '') => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
};

function redraw(svg, axes) {
  const [left, top, bottom, right] =
      svg.querySelector(':scope > .fr').getAttribute('d').match(/[\d.]+/g).map(Number);
  const series = [...svg.querySelectorAll('[data-p]')].map((group) => ({
    group, points: group.dataset.p.split(';').map(numbers).map(([x, y, low, high]) => ({x, y, low, high})),
  }));
  const points = series.flatMap((each) => each.points);
  const levels = [...svg.querySelectorAll('.lv')];
  const isLog = (axis) => svg.dataset.log.includes(axis) && !axes.includes(axis);
  const spans = [...svg.querySelectorAll('rect[data-x]')].flatMap((span) => numbers(span.dataset.x));
  const places = points.map((point) => point.x).concat(spans);
  const x = makeScale(isLog('x'), places, left, right);
  const heights = points.flatMap(({y, low = y, high = y}) => [y, low, high])
                      .concat(levels.map((level) => +level.dataset.y));
  const y = makeScale(isLog('y'), isLog('y') ? heights.filter((each) => each > 0) : [...heights, 0],
                      bottom, top);

  // An axis that stays as it is keeps its ticks.
  const grid = svg.querySelector('.gr');
  const kept = grid.getAttribute('d').match(/M[^M]+/g) ?? [];
  const [xTexts, yTexts] = svg.querySelectorAll(':scope > g.ax');
  let lines = kept.filter((line) => x.ticks ? line.includes('h') : true)
                  .filter((line) => y.ticks ? line.includes('v') : true).join('');
  const retick = (group, {ticks, pixel}, line, place) => {
    const title = group.lastChild;
    group.replaceChildren(...ticks.map((tick) => {
      lines += line(short(pixel(tick)));
      return svgElement('text', place(pixel(tick)), tickLabel(tick));
    }), title);
  };
  if (x.ticks) {
    retick(xTexts, x, (at) => `M${at} ${bottom}v${top - bottom}`,
           (at) => ({x: short(at), y: bottom + 17}));
  }
  if (y.ticks) {
    retick(yTexts, y, (at) => `M${left} ${at}h${right - left}`,
           (at) => ({x: left - 7, y: short(at + 4)}));
  }
  grid.setAttribute('d', lines);

  for (const span of svg.querySelectorAll('[data-x]')) {
    const [from, to] = numbers(span.dataset.x).map(x.pixel);
    const end = Math.max(from + 2, to);
    span.setAttribute('x', short(from));
    span.setAttribute('width', short(end - from));
    const isLeft = from < (left + right) / 2;
    span.nextElementSibling.setAttribute('x', short(isLeft ? end + 5 : from - 5));
    span.nextElementSibling.setAttribute('text-anchor', isLeft ? 'start' : 'end');
  }
  for (const level of levels) {
    level.setAttribute('d', `M${left} ${short(y.pixel(+level.dataset.y))}H${right}`);
  }
  const wasX = makeScale(svg.dataset.log.includes('x'), places, left, right);
  const wasY = svg.dataset.log.includes('y')
      ? makeScale(true, heights.filter((each) => each > 0), bottom, top) : y;
  for (const each of series) {
    moveSeries(each, x.pixel, y.pixel);
    moveMarkers(each, (point) => `translate(${short(x.pixel(point.x) - wasX.pixel(point.x))} ` +
        `${short(y.pixel(point.y) - wasY.pixel(point.y))})`);
  }
  moveLabels([...svg.querySelectorAll('.la')], y.pixel, {top, bottom, right});
  const what = [...axes].map((axis) => axis === 'x' ? 'sizes' : 'heights').join(' and ');
  svg.querySelector('desc').append(` Redrawn: ${what} along linear axes.`);
}

function moveSeries({group, points}, x, y) {
  const at = ({x: value}, height) => short(x(value)) + ' ' + short(y(height));
  const band = group.querySelector('.bd');
  band?.setAttribute('d', 'M' + [
    ...points.map((point) => at(point, point.high ?? point.y)),
    ...[...points].reverse().map((point) => at(point, point.low ?? point.y)),
  ].join('L') + 'z');
  group.querySelector('.ln')?.setAttribute(
      'd', 'M' + points.map((point) => at(point, point.y)).join('L'));
  if (!band) moveWhiskers(group, points, x, y);
}

// Drawn around their point, they keep their form.
function moveMarkers({group, points}, shift) {
  const markers = group.querySelector(':scope > g')?.children ?? [];
  [...markers].forEach((marker, i) => marker.setAttribute('transform', shift(points[i])));
}

function moveWhiskers(group, points, x, y) {
  group.querySelector('.wh')?.remove();
  let path = '';
  for (const point of points) {
    if (point.low === undefined) continue;
    const low = y(point.low);
    const high = y(point.high);
    if (low - high < kMarkerHeight) continue;
    path += `M${short(x(point.x) - 3)} ${short(low)}h6m-3 0V${short(high)}m-3 0h6`;
  }
  if (!path) return;
  const painted = group.querySelector('.fi,.st');
  const colour = painted.classList.contains('fi') ? 'fill' : 'stroke';
  group.prepend(svgElement('path', {class: 'st wh', d: path, fill: 'none',
                                    stroke: painted.getAttribute(colour)}));
}

// Labels keep to the height of what they name, moved apart where they would overlap.
function moveLabels(groups, y, {top, bottom, right}) {
  const labels = groups.map((group) => ({group, y: y(+group.dataset.y)})).sort((a, b) => a.y - b.y);
  let next = top + 4;
  for (const label of labels) {
    label.placed = Math.max(label.y, next);
    next = label.placed + kLabelSpacing;
  }
  let limit = bottom;
  for (const label of [...labels].reverse()) {
    label.placed = Math.min(label.placed, limit);
    limit = label.placed - kLabelSpacing;
  }
  for (const {group, y: from, placed} of labels) {
    const [line, ...rest] = group.children;
    const was = +line.getAttribute('d').match(/[\d.]+/g)[3];
    line.setAttribute('d', `M${right + 2} ${short(from)}L${right + 14} ${short(placed)}`);
    for (const part of rest) part.setAttribute('transform', `translate(0 ${short(placed - was)})`);
  }
}

const charts = [...document.querySelectorAll('svg[data-log]')].map(
    (svg) => ({shown: svg, original: svg.cloneNode(true)}));
let shownAxes = '';
function showCharts() {
  if (state.axes === shownAxes) return;
  shownAxes = state.axes;
  for (const chart of charts) {
    const fresh = chart.original.cloneNode(true);
    const axes = [...shownAxes].filter((axis) => fresh.dataset.log.includes(axis)).join('');
    if (axes) redraw(fresh, axes);
    chart.shown.replaceWith(fresh);
    chart.shown = fresh;
  }
}
