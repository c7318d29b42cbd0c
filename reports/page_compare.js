// Ratios against a baseline that the reader chooses. Only verified rows of one run, operation,
// shape, precision and mode are compared, packed weights with packed ones, frameworks and peaks with
// nothing: the rules of reports/pairs.cpp. Thread counts and launch methods are means of being fast:
// they tell contenders apart, not groups.

const kMeans = ['threads', 'launch'];
const keyed = () => {
  const ids = new Map();
  return {ids, of: (key) => ids.get(key) ?? (ids.set(key, ids.size), ids.size - 1)};
};
const contenders = keyed();
const groups = keyed();
const families = keyed();  // groups that differ in their shape only
const contenderOf = new Int32Array(rowCount);
const groupOf = new Int32Array(rowCount);  // -1: never compared
const familyOfGroup = [];
const isPacked = (name) => name.implementation.includes('packed');

for (let row = 0; row < rowCount; ++row) {
  const name = names[row];
  const means = name.options.filter(([key]) => kMeans.includes(key)).map(([, text]) => text);
  contenderOf[row] = contenders.of([name.device, name.implementation, ...means].join('/'));
  groupOf[row] = -1;
  if (!verified(row) || name.op === 'peak' || name.implementation.startsWith('pytorch_')) continue;
  const family = JSON.stringify(
      [runOf[row], name.op, name.precision, optionsText(name, kMeans), isPacked(name)]);
  groupOf[row] = groups.of(family + name.shape);
  familyOfGroup[groupOf[row]] = families.of(family);
}
const contenderKeys = [...contenders.ids.keys()];

// "cpu openblas, threads:1"
function contenderText(key) {
  const [device, implementation, ...means] = key.split('/');
  const strawman = implementation === 'naive' ? ' (a strawman)' : '';
  return visible([`${device} ${implementation}${strawman}`, ...means].join(', '));
}

let base = '';
let baseRowOf = new Int32Array(0);  // by group; -1: the baseline has no row there
let ratioCache = [];

function setBase(key) {
  if (key === base && baseRowOf.length) return false;
  base = key;
  baseRowOf = new Int32Array(groups.ids.size).fill(-1);
  ratioCache = new Array(rowCount);
  const id = contenders.ids.get(key);
  for (let row = 0; row < rowCount; ++row) {
    if (contenderOf[row] === id && groupOf[row] >= 0) baseRowOf[groupOf[row]] = row;
  }
  return true;
}

// ln(baseline's time / this row's), by round, where both have that round.
function logRatios(row, against) {
  const times = new Map();
  roundsOf(against).forEach((round, i) => times.set(round, mediansOf(against)[i]));
  const logs = [];
  roundsOf(row).forEach((round, i) => {
    if (times.has(round)) logs.push([round, Math.log(times.get(round) / mediansOf(row)[i])]);
  });
  return logs;
}

// {ratio, kind} or {why}: the reason why there is none.
function ratioOf(row) {
  return ratioCache[row] ??= (() => {
    if (!verified(row)) return {why: 'not verified: no ratio'};
    if (groupOf[row] < 0) return {why: 'peaks and rows of frameworks are never compared'};
    const against = baseRowOf[groupOf[row]];
    if (against < 0) {
      return {why: `no verified row of ${contenderText(base)} of this run, shape, precision and ` +
                  (isPacked(names[row]) ? 'mode with packed weights' : 'mode')};
    }
    if (against === row) return {isBase: true};
    const ratio = ratioEstimate(logRatios(row, against).map(([, log]) => log));
    if (!ratio) return {why: 'no round has both'};
    const speedup = names[against].device === 'cpu' && names[row].device === 'gpu';
    return {ratio, kind: speedup ? 'speedup' : 'ratio'};
  })();
}

// Per family the geometric mean of every contender among these rows, over only those shapes that
// all of them and the baseline have: the mean inside each round that all these shapes have, then the
// estimate over rounds, since the round is what repeats.
function geometricMeans(rows) {
  const found = new Map();
  for (const row of rows) {
    const group = groupOf[row];
    if (group < 0 || baseRowOf[group] < 0 || baseRowOf[group] === row) continue;
    const family = familyOfGroup[group];
    if (!found.has(family)) found.set(family, new Map());
    const rowsOf = found.get(family);
    if (!rowsOf.has(contenderOf[row])) rowsOf.set(contenderOf[row], new Map());
    rowsOf.get(contenderOf[row]).set(group, row);
  }
  const means = [];
  for (const rowsOf of found.values()) {
    const count = new Map();
    for (const byGroup of rowsOf.values()) {
      for (const group of byGroup.keys()) count.set(group, (count.get(group) ?? 0) + 1);
    }
    const common = [...count.keys()].filter((group) => count.get(group) === rowsOf.size);
    for (const [contender, byGroup] of rowsOf) {
      const rounds = new Map();
      for (const group of common) {
        const row = byGroup.get(group);
        for (const [round, log] of logRatios(row, baseRowOf[group])) {
          const sum = rounds.get(round) ?? {logs: 0, count: 0};
          rounds.set(round, {logs: sum.logs + log, count: sum.count + 1});
        }
      }
      const whole = [...rounds.values()].filter((sum) => sum.count === common.length);
      means.push({row: byGroup.values().next().value, contender: contenderKeys[contender],
                  compared: rowsOf.size, shapes: common.length, all: count.size,
                  ratio: ratioEstimate(whole.map((sum) => sum.logs / sum.count))});
    }
  }
  return means;
}
