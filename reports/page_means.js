// The geometric means against the chosen baseline, above the full table.

const kMostMeans = 200;
const meansBox = element('div', {id: 'means', hidden: ''});
table.parentElement.before(meansBox);

function showMeans() {
  meansBox.hidden = !base;
  meansBox.replaceChildren();
  if (!base) return;
  const name = contenderText(base);
  const means = geometricMeans(listed);
  if (!means.length) {
    meansBox.append(element('p', {class: 'none'},
                            `None of the rows shown can be compared with ${name}: that needs verified ` +
                                'rows of one run, operation, shape, precision and mode.'));
    return;
  }
  const lines = means.slice(0, kMostMeans).map(({row, contender, compared, shapes, all, ratio}) => {
    const {op, precision} = names[row];
    const speedup = base.startsWith('cpu/') && contender.startsWith('gpu/');
    const over = `${shapes} of ${all} ${all === 1 ? 'shape' : 'shapes'}`;
    const line = element('tr');
    const cells = [
      ...(severalRuns ? [runs[runOf[row]].label] : []), visible(op), visible(precision),
      visible(optionsText(names[row], kMeans)), contenderText(contender),
      ratio ? ratioText(ratio) : shapes ? 'no round has every shape' : 'no shape has all of them',
      ratio ? speedup ? 'speedup' : 'ratio' : '', over, compared];
    cells.forEach((text, i) => line.append(
        element('td', i >= cells.length - 2 ? {class: 'n'} : {}, String(text))));
    return line;
  });
  const titles = [...(severalRuns ? ['Run'] : []), 'Operation', 'Precision', 'Mode', 'Implementation',
                  'Geometric mean', 'Kind', 'Over', 'Compared'];
  const more = means.length > kMostMeans ? ` The first ${kMostMeans} of ${means.length}.` : '';
  const box = element('div', {class: 'scroll'}, element('table', {},
      element('caption', {}, `Time of ${name} over the time of each implementation among the rows ` +
          'shown: above 1 it is faster. Only over shapes that all compared implementations have (fewer ' +
          `of them may share more shapes); intervals in brackets.${more}`),
      element('thead', {}, element('tr', {}, ...titles.map(
          (title) => element('th', {scope: 'col'}, title)))),
      element('tbody', {}, ...lines)));
  meansBox.append(box);
  watchScroller(box);
}
