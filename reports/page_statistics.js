// Medians and ratios with exact intervals: reports/statistics.cpp once more, for baselines that are
// chosen on the page. Sources of the methods stand there.

const kConfidence = 0.95;
const kMostSignedRankSamples = 1000;

const sorted = (values) => Float64Array.from(values).sort();
function sortedMedian(values) {
  const half = values.length >> 1;
  return values.length % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Which order statistic bounds an interval, and what that covers, by number of samples.
function cached(compute) {
  const known = new Map();
  return (n) => {
    if (!known.has(n)) known.set(n, compute(n));
    return known.get(n);
  };
}

const medianBound = cached((n) => {
  const logFactorial = [0];
  for (let i = 1; i <= n; ++i) logFactorial.push(logFactorial[i - 1] + Math.log(i));
  const heads = (k) =>
      Math.exp(logFactorial[n] - logFactorial[k] - logFactorial[n - k] - n * Math.log(2));
  let outside = heads(0);
  let k = 1;
  for (; 2 * (k + 1) <= n; ++k) {
    const next = outside + heads(k);
    if (1 - 2 * next < kConfidence) break;
    outside = next;
  }
  return {k, coverage: n === 1 ? 0 : 1 - 2 * outside};
});

const signedRankBound = cached((n) => {
  const pairs = n * (n + 1) / 2;
  const probability = new Float64Array(pairs + 1);
  probability[0] = 1;
  let largest = 0;
  for (let rank = 1; rank <= n; ++rank) {
    largest += rank;
    for (let t = largest; t >= 0; --t) {
      probability[t] = (probability[t] + (t >= rank ? probability[t - rank] : 0)) / 2;
    }
  }
  // below: P(T <= k - 1), what the interval leaves out on one side.
  let below = probability[0];
  let k = 1;
  for (; 2 * (k + 1) <= pairs; ++k) {
    const next = below + probability[k];
    if (1 - 2 * next < kConfidence) break;
    below = next;
  }
  return {k, coverage: n === 1 ? 0 : 1 - 2 * below};
});

function bounded(values, {k, coverage}) {
  return {value: sortedMedian(values), low: values[k - 1], high: values[values.length - k], coverage};
}

const medianEstimate = (samples) => bounded(sorted(samples), medianBound(samples.length));

// exp of the Hodges-Lehmann estimate of log ratios; null where it is not defined.
function ratioEstimate(logs) {
  const n = logs.length;
  if (n === 0 || n > kMostSignedRankSamples) return null;
  const walsh = new Float64Array(n * (n + 1) / 2);
  let next = 0;
  for (let i = 0; i < n; ++i) {
    for (let j = i; j < n; ++j) walsh[next++] = (logs[i] + logs[j]) / 2;
  }
  const {value, low, high, coverage} = bounded(walsh.sort(), signedRankBound(n));
  return {value: Math.exp(value), low: Math.exp(low), high: Math.exp(high), coverage, samples: n};
}
