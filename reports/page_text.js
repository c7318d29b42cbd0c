// Numbers and names as text, digit for digit as reports/text.cpp and words.cpp write them.

// What a reader can't see or what could reorder a line, by its code point.
const invisible = new RegExp('[\\u0000-\\u001f\\u007f-\\u009f\\u061c\\ufeff\\u200b-\\u200f' +
                                 '\\u2028-\\u202e\\u2060-\\u206f]', 'g');
const codePoint = (c) => `[U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`;
const visible = (text, most = 300) =>
    (text.length > most ? text.slice(0, most - 1) + '…' : text).replace(invisible, codePoint);

// toFixed, but a value exactly between two numbers goes to the even one, as C++ rounds.
function fixed(value, digits) {
  const text = value.toFixed(digits);
  const rest = (value.toFixed(digits + 30).split('.')[1] ?? '').slice(digits);
  if (!/^50*$/.test(rest)) return text;
  return /[13579]$/.test(text) ? (value - Math.sign(value) * 10 ** -(digits + 2)).toFixed(digits)
                               : text;
}

function formatNumber(value, digits = 4) {
  if (value === 0) return '0';
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  return fixed(value, Math.min(Math.max(digits - 1 - magnitude, 0), 15));
}

function secondsUnit(seconds) {
  if (seconds < 1e-6) return {factor: 1e9, name: 'ns'};
  if (seconds < 1e-3) return {factor: 1e6, name: 'µs'};
  if (seconds < 1) return {factor: 1e3, name: 'ms'};
  return {factor: 1, name: 's'};
}

function formatSeconds(seconds) {
  const unit = secondsUnit(seconds);
  return formatNumber(seconds * unit.factor) + ' ' + unit.name;
}

// Both ends in the unit of the lower.
function formatInterval({low, high}) {
  const unit = secondsUnit(low);
  return formatNumber(low * unit.factor) + '–' + formatNumber(high * unit.factor) + ' ' + unit.name;
}

const formatPercent = (fraction) => formatNumber(fraction * 100, 3) + ' %';
const formatScientific = (value) => value === 0 ? '0' : value.toExponential(1).replace('+', '');
const rateUnit = ({op, precision}) =>
    op === 'stream' ? 'GB/s' : precision === 'int8' ? 'GOP/s' : 'GFLOP/s';
const rateText = (name, perSecond) => `${formatNumber(perSecond / 1e9)} ${rateUnit(name)}`;

// "12.3x (11.9–12.8)"; an interval around 1 is "can't tell".
function ratioText(ratio) {
  const value = formatNumber(ratio.value, 3);
  if (!(ratio.coverage > 0)) return value + 'x (no interval: one round)';
  const interval = formatNumber(ratio.low, 3) + '–' + formatNumber(ratio.high, 3);
  // As Interval::decides() in statistics.h.
  if (ratio.coverage < 0.9) return `can't tell (${interval}, only ${ratio.samples} rounds)`;
  return ratio.low <= 1 && ratio.high >= 1 ? `can't tell (${interval})` : `${value}x (${interval})`;
}

// An element with attributes and children; text is never read as HTML.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const textButton = (label, act, attributes = {}) => {
  const button = element('button', {type: 'button', ...attributes}, label);
  button.addEventListener('click', act);
  return button;
};
