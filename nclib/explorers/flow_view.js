// The flow explorer: SNR values and their spread over twelve decades of time, four flows.

const FLOWS = ["projected", "whitened", "plain", "two_speeds"];
const TIMES = Array.from({ length: 97 }, (_, k) => 10 ** (k / 8));

function view(setting, frames) {
  const C = setting.classes;
  const N = Math.round(10 ** setting.samples);
  const [largest, ratio, r, now] = ["largest", "ratio", "speeds", "time"].map((key) => 10 ** setting[key]);
  const starts = spectrum(C, largest, ratio);
  const white = setting.start === "white";
  const lines = {
    time: line(frames.spectrum, [[now, frames.spectrum.y[0]], [now, frames.spectrum.y[1]]]),
    time_spread: line(frames.spread, [[now, frames.spread.y[0]], [now, frames.spread.y[1]]]),
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
  for (const flow of FLOWS) {
    const modes = starts.map((start) => ({ start, law: lawOf(flow, C, N, start, r, white) }));
    const at = (t) => modes.map(({ start, law }) => along(law, start, t).log);
    const shown = setting[flow];
    const logs = shown ? TIMES.map(at) : [];
    // A line is drawn as far as Python's numbers reach.
    const kept = logs.filter((row) => Math.max(...row) < 300 * Math.LN10).length;
    lines[flow] = modes
      .map((_, j) => line(frames.spectrum, logs.slice(0, kept).map((row, k) => [TIMES[k], Math.exp(row[j])])))
      .join("");
    lines[`${flow}_spread`] = line(
      frames.spread,
      logs.slice(0, kept).map((row, k) => [TIMES[k], Math.exp(Math.max(...row) - Math.min(...row))]),
    );
    const present = at(now);
    const top = Math.max(...present);
    const spread = Math.exp(top - Math.min(...present));
    const leader = modes[present.indexOf(top)];
    words[`${flow}_largest`] = shown ? numeral(Math.exp(top)) : "";
    words[`${flow}_ratio`] = shown ? numeral(spread) : "";
    words[`${flow}_exponent`] = shown ? numeral(along(leader.law, leader.start, now).exponent) : "";
  }
  return { lines, words };
}

wake("flow", view);
