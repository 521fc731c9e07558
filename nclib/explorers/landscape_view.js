// The landscape explorer: where in the plane of the two decays we are, and what lies there.

const REGIMES = {
  zero: "Nothing is learned: weights and features are zero, and the bias alone answers.",
  simplex: "Simplex ETF: the class means sum to zero.",
  between: "Between simplex and orthogonal frame: the class means no longer sum to zero.",
};
const STEPS = 48;

// Edges of the regimes as lines over the whole range of the bias decay.
function edges(frame, K, alpha, M) {
  const [low, high] = frame.y;
  const biases = Array.from({ length: STEPS + 1 }, (_, k) => low * (high / low) ** (k / STEPS));
  return {
    upper: biases.map((bias) => [vanishing(K, bias, alpha, M), bias]),
    lower: biases.map((bias) => [sharing(bias, alpha, M), bias]),
  };
}

// An upright box between two heights, in slot k of n.
function bar(frame, k, n, height) {
  const [left, right] = [(k + 0.1) / n, (k + 0.9) / n];
  return `${line(frame, [[left, 0], [left, height], [right, height], [right, 0]])}Z`;
}

// A square in each chosen cell of the Gram matrix; its area is the size of the entry.
function squares(frame, K, entry, chosen) {
  const half = Math.sqrt(Math.abs(entry)) / 2;
  const cells = [];
  for (let i = 0; i < K; i += 1) {
    for (let j = 0; j < K; j += 1) {
      if (chosen(i, j)) cells.push([j + 0.5, K - i - 0.5]);
    }
  }
  const corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]];
  return cells
    .map(([x, y]) => `${line(frame, corners.map(([a, b]) => [(x + a * half) / K, (y + b * half) / K]))}Z`)
    .join("");
}

function view(setting, frames) {
  const K = setting.classes;
  const { alpha, target: M } = setting;
  const [c, bias] = [10 ** setting.decay, 10 ** setting.bias];
  const best = minimizer(K, c, bias, alpha, M);
  const { own, other } = gram(K, best);
  const { upper, lower } = edges(frames.map, K, alpha, M);
  const [left, right] = frames.map.x;
  const [bottom, top] = frames.map.y;
  const drawn = (entry, chosen) => (entry ? squares(frames.gram, K, entry / M, chosen) : "");
  const lines = {
    simplex: `${line(frames.map, [...upper, ...[...lower].reverse()])}Z`,
    shared: `${line(frames.map, [...lower, [left, top], [left, bottom]])}Z`,
    across: line(frames.map, [[left, bias], [right, bias]]),
    upright: line(frames.map, [[c, bottom], [c, top]]),
    point: dot(frames.map, c, bias),
    common: bar(frames.bars, 0, K + 1, best.y / M),
    equal: Array.from({ length: K - 1 }, (_, k) => bar(frames.bars, k + 1, K + 1, best.x / M)).join(""),
    beta: bar(frames.bars, K, K + 1, best.beta / M),
    own: drawn(own, (i, j) => i === j),
    negative: drawn(other, (i, j) => i !== j),
  };
  const cosine = own ? `cosine of two class means ${numeral(other / own)}` : "no angle to speak of";
  const words = {
    classes: String(K),
    decay: numeral(c),
    bias: numeral(bias),
    alpha: numeral(alpha),
    target: numeral(M),
    x: numeral(best.x),
    y: numeral(best.y),
    beta: numeral(best.beta),
    vanishing: numeral(vanishing(K, bias, alpha, M)),
    sharing: numeral(sharing(bias, alpha, M)),
    sentence: `${REGIMES[best.regime]} Here: ${cosine}; a simplex has ${numeral(-1 / (K - 1))}, an orthogonal frame 0.`,
  };
  return { lines, words };
}

wake("landscape", view);
