// What the reader chose, kept in the URL's fragment: #op=matmul&base=cpu/openblas&sort=-time. A
// fragment without "=" is a plain anchor, to a section or a row.

const plainKeys = ['words', 'base', 'sort', 'axes', 'at'];
const emptyState = () => ({
  words: '',  // all must be in a row's name or failure
  base: '',   // the contender that others are compared with
  sort: '',   // a column's key, with "-" before it downwards
  axes: '',   // those that are linear: "x", "y" or "xy"
  at: '',     // the anchor: a section, or the open row
  chosen: Object.fromEntries(facets.map(({key}) => [key, new Set()])),
});
let state = emptyState();
let written = null;  // the fragment that stands in the URL

function fragmentOf(some) {
  const search = new URLSearchParams();
  for (const {key} of facets) for (const value of some.chosen[key]) search.append(key, value);
  for (const key of plainKeys) if (some[key]) search.append(key, some[key]);
  const keys = [...search.keys()];
  if (keys.length === 1 && keys[0] === 'at') return encodeURIComponent(some.at);
  return search.toString().replaceAll('%2F', '/').replaceAll('%3A', ':');
}

function stateOf(fragment) {
  const read = emptyState();
  if (!fragment.includes('=')) {
    try {
      read.at = decodeURIComponent(fragment);
    } catch {
      read.at = '';  // a torn escape: no anchor of ours
    }
    return read;
  }
  for (const [key, value] of new URLSearchParams(fragment)) {
    if (read.chosen[key]) read.chosen[key].add(value);
    else if (plainKeys.includes(key)) read[key] = value;
  }
  return read;
}

// A step that "back" undoes; typing and unfolding rows are none.
function writeState(isStep) {
  const fragment = fragmentOf(state);
  if (fragment === written) return;
  written = fragment;
  const url = fragment ? '#' + fragment : location.pathname + location.search;
  try {
    history[isStep ? 'pushState' : 'replaceState'](null, '', url);
  } catch {
    // A frame may forbid it, and browsers do where it comes too often: then it isn't shareable.
  }
}

// Changes the state and shows it.
function choose(change, isStep = true) {
  change(state);
  writeState(isStep);
  show();
}
