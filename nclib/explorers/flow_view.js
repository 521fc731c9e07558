// The flow explorer: SNR values and their spread over twelve decades of time, four flows.

const FLOWS = {
  projected: "under the projected flow",
  whitened: "if whitened after each step",
  plain: "under plain gradient flow",
  two_speeds: "at two speeds",
};
const LARGEST = 300 * Math.LN10; // the logarithm of the largest number that is written out
const TIMES = Array.from({ length: 97 }, (_, k) => 10 ** (k / 8));

// A line from the bottom to the top of a picture.
const upright = (frame, t) => line(frame, [[t, frame.y[0]], [t, frame.y[1]]]);

// The logarithms of all values at a time.
const logarithms = (modes, t) => modes.map(({ start, law }) => along(law, start, t).log);

// Points (t, value), where no value passes the largest number.
const points = (logs) => logs.map((log, k) => [TIMES[k], Math.exp(Math.min(log, LARGEST))]);

// The lines of one flow: each value, and the largest over the smallest.
function run(modes, { spectrum: values, spread }) {
  const rows = TIMES.map((t) => logarithms(modes, t));
  const each = modes.map((_, j) => line(values, points(rows.map((row) => row[j]))));
  const gaps = rows.map((row) => Math.max(...row) - Math.min(...row));
  return [each.join(""), line(spread, points(gaps))];
}

const written = (log) => (log < LARGEST ? numeral(Math.exp(log)) : "> 10³⁰⁰");

// What the table says of one flow; the exponent is that of its largest value.
function readings(modes, t) {
  const row = logarithms(modes, t);
  const largest = Math.max(...row);
  const { start, law } = modes[row.indexOf(largest)];
  const { exponent } = along(law, start, t);
  const ratio = largest - Math.min(...row);
  return { largest: written(largest), ratio: written(ratio), exponent: numeral(exponent) };
}

function view(setting, frames) {
  const C = setting.classes;
  const N = Math.round(10 ** setting.samples);
  const [largest, ratio, r, now] = ["largest", "ratio", "speeds", "time"].map((key) => 10 ** setting[key]);
  const starts = spectrum(C, largest, ratio);
  const white = setting.start === "white";
  const lines = {
    time: upright(frames.spectrum, now),
    time_spread: upright(frames.spread, now),
  };
  const words = {
    classes: String(C),
    samples: String(N),
    largest: numeral(largest),
    ratio: numeral(ratio),
    speeds: numeral(r),
    time: numeral(now),
  };
  const spreads = [];
  for (const [flow, phrase] of Object.entries(FLOWS)) {
    lines[flow] = lines[`${flow}_spread`] = "";
    for (const column of ["largest", "ratio", "exponent"]) words[`${flow}_${column}`] = "";
    if (!setting[flow]) continue;
    const modes = starts.map((start) => ({ start, law: lawOf(flow, C, N, start, r, white) }));
    [lines[flow], lines[`${flow}_spread`]] = run(modes, frames);
    for (const [column, text] of Object.entries(readings(modes, now))) {
      words[`${flow}_${column}`] = text;
    }
    spreads.push(`${words[`${flow}_ratio`]} ${phrase}`);
  }
  const told = spreads.join("; ") || "no flow is chosen";
  words.sentence = `Largest over smallest at t = ${words.time}: ${told}.`;
  return { lines, words };
}

wake("flow", view);
