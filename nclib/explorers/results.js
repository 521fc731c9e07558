// Axes that follow the numbers on them, and what a setting chooses out of all runs.
//
// Only sums, products, quotients and square roots of the numbers are used, and powers of ten are
// read from text: so a script and Python come to the same ticks, to the last bit.

const TEN = Math.sqrt(10);
const AIR = 1.2; // between the outermost number and the edge of a logarithmic axis
const EDGE = 1.15; // between the last epoch and the end: a mark there needs room
const FEWEST = 4; // steps of a linear axis, about

const drawable = (value, log) => Number.isFinite(value) && (!log || value > 0);

// The power of ten of a positive number's first digit; a logarithm could be a hair off.
const exponent = (value) => Number(value.toExponential().split("e")[1]);

// Powers of ten; on short axes 3, or 2 and 5, times them as well.
function decades(low, high) {
  const [first, last] = [exponent(low), exponent(high)];
  const parts = high <= 30 * low ? [1, 2, 5] : high <= 1000 * low ? [1, 3] : [1];
  const stride = parts.length === 1 ? Math.ceil((last - first) / 5) : 1;
  const marks = [];
  for (let power = first; power <= last; power += 1) {
    if (power % stride === 0) marks.push(...parts.map((part) => Number(`${part}e${power}`)));
  }
  return marks.filter((mark) => low <= mark && mark <= high);
}

// At least one decade, so that noise is not blown up to a trend.
function logarithmic(least, most) {
  let [low, high] = [least, most];
  if (high < 10 * low) {
    const middle = Math.sqrt(low * high);
    [low, high] = [middle / TEN, middle * TEN];
  }
  [low, high] = [low / AIR, high * AIR];
  return { ends: [low, high, true], ticks: decades(low, high) };
}

// Steps of 1, 2, 2.5 or 5 times a power of ten, which three digits can tell apart.
// Where there is one number alone, the axis begins at zero.
function linear(least, most) {
  let [low, high] = [least, most];
  if (low === high) [low, high] = low ? [Math.min(low, 0), Math.max(high, 0)] : [0, 1];
  const size = Math.max(Math.abs(low), Math.abs(high), 1e-9);
  const power = exponent(size);
  const digits = size === Number(`1e${power}`) ? 3 : 2; // 100 is the end of 99.8, 99.9
  const finest = Number(`1e${power - digits}`);
  const raw = Math.max((high - low) / FEWEST, finest);
  const unit = Number(`1e${exponent(raw)}`);
  const parts = unit > finest ? [1, 2, 2.5, 5, 10] : [1, 2, 5, 10];
  const step = parts.map((part) => part * unit).find((one) => one >= raw);
  let first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  if (first === last) first -= 1;
  const ticks = Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step);
  return { ends: [ticks[0], ticks[ticks.length - 1], false], ticks };
}

// An upright axis on which these numbers fit; null where none of them has a place.
function valueAxis(values, log) {
  const fit = values.filter((value) => drawable(value, log));
  if (!fit.length) return null;
  return (log ? logarithmic : linear)(Math.min(...fit), Math.max(...fit));
}

// From the first epoch to the last, logarithmic.
function epochsAxis(last) {
  const [low, high] = [0.96, Math.max(last, 2) * EDGE];
  return { ends: [low, high, true], ticks: decades(low, high) };
}

const numberOf = (value) => (value === null ? NaN : Number(value));

// A number of a run for each of its epochs, NaN where it was not measured.
function column(entry, split, quantity) {
  const stored = entry.columns[split][quantity];
  return stored ? stored.map(numberOf) : entry.epochs.map(() => NaN);
}

// The chosen cells of each loss, one for each seed, and how to ask them for numbers.
function choose(setting, { entries, quantities, losses }) {
  const { quantity, split } = setting;
  const here = entries.filter((one) => one.place === setting.dataset && one.family === setting.network);
  const chosen = Object.keys(losses).filter((loss) => setting[loss]);
  const groups = Object.fromEntries(chosen.map((loss) => [loss, here.filter((one) => one.loss === loss)]));
  const ran = (loss) => groups[loss].filter((one) => one.epochs.length);
  const epochs = [...new Set(chosen.flatMap((loss) => ran(loss).flatMap((one) => one.epochs)))];
  epochs.sort((a, b) => a - b);
  const mean = (loss, times) => {
    const all = ran(loss).map((one, k) => {
      const place = one.epochs.indexOf(times[k]);
      return place < 0 ? NaN : column(one, split, quantity)[place];
    });
    return all.length ? all.reduce((sum, value) => sum + value, 0) / all.length : NaN;
  };
  const at = (loss, epoch) => mean(loss, ran(loss).map(() => epoch));
  return {
    quantity,
    split,
    where: `${entries.find((one) => one.place === setting.dataset).title}, ${setting.network}`,
    groups,
    epochs,
    ran,
    at,
    about: quantities[quantity],
    epoch: epochs.length ? epochs[Math.min(Math.max(setting.look, 0), epochs.length - 1)] : null,
    atZeroError: (loss) => mean(loss, ran(loss).map((one) => one.zero)),
    atEnd: (loss) => mean(loss, ran(loss).map((one) => one.epochs[one.epochs.length - 1])),
    points: (one) => column(one, split, quantity).map((value, k) => [one.epochs[k], value]),
    average: (loss) => (ran(loss).length ? ran(loss)[0].epochs.map((epoch) => [epoch, at(loss, epoch)]) : []),
    // What the paper says of this quantity, on these images.
    printed(loss) {
      const found = groups[loss].length && groups[loss][0].printed[quantity];
      if (!found || found[0] !== split) return null;
      return { atZeroError: numberOf(found[1]), atEnd: numberOf(found[2]), source: found[3] };
    },
  };
}
