// Puts the parts together: the state decides what is shown.

// Charts of so many marks are laid out only where they are seen.
const kMany = 2000;
document.documentElement.classList.toggle('many', rowCount > kMany);

function show() {
  setBase(contenders.ids.has(state.base) ? state.base : '');
  const counts = filterRows();
  showTable(passes);
  showBlocks();
  showBar(counts);
  showCharts();
  // Of many rows the means take longer than an answer may: they follow it.
  if (rowCount > kMany) setTimeout(showMeans);
  else showMeans();
}

function readUrl() {
  const fragment = location.hash.slice(1);
  if (fragment === written) return;
  written = fragment;
  const at = state.at;
  // What the bar covers is no place to scroll to.
new ResizeObserver(() => {
  document.documentElement.style.scrollPaddingTop = bar.offsetHeight + 8 + 'px';
}).observe(bar);

state = stateOf(fragment);
  show();
  if (state.at && state.at !== at) showAnchor(true);
}

// What scrolls sideways is reached by keyboard, too.
const scrollers = new ResizeObserver((entries) => {
  for (const target of new Set(entries.map((entry) => entry.target.closest('.scroll')))) {
    if (!target) continue;
    const scrolls = target.scrollWidth > target.clientWidth;
    if (!scrolls) {
      for (const name of ['tabindex', 'role', 'aria-label']) target.removeAttribute(name);
      continue;
    }
    const name = target.querySelector('caption,title')?.textContent || 'Table';
    target.tabIndex = 0;
    target.setAttribute('role', 'region');
    target.setAttribute('aria-label', name.slice(0, 80));
  }
});
function watchScroller(box) {
  scrollers.observe(box);
  scrollers.observe(box.firstElementChild);
}
document.querySelectorAll('.scroll:not(.screenful)').forEach(watchScroller);

state = stateOf(location.hash.slice(1));
buildBar();
openPanel(facets.some(({key}) => state.chosen[key].size) || state.words !== '' || state.base !== '');
written = location.hash.slice(1);
show();
showAnchor(state.at !== '');
addEventListener('popstate', readUrl);
addEventListener('hashchange', readUrl);
