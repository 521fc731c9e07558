// Features set free: one vector for each sample and a linear head, moved by gradient descent, and
// how they look. Rows of H are samples here, class after class.

const KINDS = { plane: [3, 2], space: [4, 3], tight: [4, 2] }; // classes, dimensions
const N = 8; // samples of a class
const STEP = 0.01; // of gradient descent
const ROUNDS = 60; // towards a polar factor
const ROWS = 160; // a chart never holds more
const MEASURES = ["excess", "variability", "distance"];
const SCALE = 220; // pixels per unit of length
const TILT = 0.35; // how far from above space is seen
const CORNERS = [
  [],
  [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
  [[0, -1.2], [1.15, 0.8], [-1.15, 0.8]],
  [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
];

const inner = (a, b) => a.reduce((sum, one, k) => sum + one * b[k], 0);
const square = (rows) => rows.reduce((sum, row) => sum + inner(row, row), 0);
const times = (factor, rows) => rows.map((row) => row.map((one) => factor * one));
const mean = (rows) => rows[0].map((_, k) => rows.reduce((sum, row) => sum + row[k], 0) / rows.length);

// Nearly normal numbers that are the same to the last bit in every language: each is the sum of
// twelve uniform ones, and those are integers until the end (Lehmer's generator).
function randoms(seed) {
  let state = seed;
  return () => {
    let sum = -6;
    for (let k = 0; k < 12; k += 1) {
      state = (48271 * state) % 2147483647;
      sum += state / 2147483647;
    }
    return sum;
  };
}

// A random start of C classes in p dimensions: W and H have the norm `size`, the bias is zero.
function begin(C, p, size, seed) {
  const next = randoms(seed);
  const [W, H] = [C, C * N].map((count) => {
    const rows = Array.from({ length: count }, () => Array.from({ length: p }, next));
    return times(size / Math.sqrt(square(rows)), rows);
  });
  return { W, H, b: Array(C).fill(0) };
}

// The risk, 1/2 of all squared residuals and of the decay of W and H, and its slopes.
function descent({ W, H, b }, decay) {
  const slope = { W: times(decay, W), H: times(decay, H), b: b.map(() => 0) };
  let risk = (decay / 2) * (square(W) + square(H));
  H.forEach((h, i) => {
    W.forEach((w, c) => {
      const residual = inner(w, h) + b[c] - (Math.floor(i / N) === c ? 1 : 0);
      risk += (residual * residual) / 2;
      slope.b[c] += residual;
      for (let k = 0; k < h.length; k += 1) {
        slope.W[c][k] += residual * h[k];
        slope.H[i][k] += residual * w[k];
      }
    });
  });
  return { risk, slope };
}

function advance(state, decay, steps) {
  let { W, H, b } = state;
  const less = (row, slope) => row.map((one, k) => one - STEP * slope[k]);
  for (let k = 0; k < steps; k += 1) {
    const { slope } = descent({ W, H, b }, decay);
    W = W.map((row, c) => less(row, slope.W[c]));
    H = H.map((row, i) => less(row, slope.H[i]));
    b = less(b, slope.b);
  }
  return { W, H, b };
}

// Class means, (C, p).
function classMeans({ W, H }) {
  return W.map((_, c) => mean(H.slice(c * N, (c + 1) * N)));
}

function centered(rows) {
  const middle = mean(rows);
  return rows.map((row) => row.map((one, k) => one - middle[k]));
}

// A^T A for a list of rows.
function products(rows) {
  return rows[0].map((_, j) => rows[0].map((_, k) => rows.reduce((sum, row) => sum + row[j] * row[k], 0)));
}

// The inverse of a positive definite matrix, by Gauss and Jordan.
function inverse(matrix) {
  const size = matrix.length;
  const rows = matrix.map((row, j) => [...row, ...row.map((_, k) => (j === k ? 1 : 0))]);
  for (let j = 0; j < size; j += 1) {
    const pivot = rows[j][j];
    rows[j] = rows[j].map((one) => one / pivot);
    for (let i = 0; i < size; i += 1) {
      const factor = i === j ? 0 : rows[i][j];
      rows[i] = rows[i].map((one, k) => one - factor * rows[j][k]);
    }
  }
  return rows.map((row) => row.slice(size));
}

// The least risk that C classes can have in p < C dimensions.
function leastRisk(C, p, decay) {
  return p * decay * (Math.sqrt(N) - decay / 2) + ((C - 1 - p) * N) / 2;
}

// How far from collapse: risk above the least, spread within over between classes, tr(Sigma_W Sigma_B^+) / C, and the
// distance of the means' Gram matrix from that of a simplex. `steepest` is the largest slope.
function measure(state, decay) {
  const { risk, slope } = descent(state, decay);
  const C = state.W.length;
  const means = classMeans(state);
  const M = centered(means);
  const between = inverse(products(M));
  const spread =
    state.H.reduce((sum, h, i) => {
      const off = h.map((one, k) => one - means[Math.floor(i / N)][k]);
      return sum + inner(off, between.map((row) => inner(row, off)));
    }, 0) / (C * N);
  const gram = M.map((one) => M.map((other) => inner(one, other)));
  const size = Math.sqrt(square(gram));
  const gaps = gram.map((row, c) =>
    row.map((one, k) => one / size - ((c === k ? 1 : 0) - 1 / C) / Math.sqrt(C - 1)),
  );
  const steepest = Math.max(...[...slope.W, ...slope.H, slope.b].flat().map(Math.abs));
  const variability = spread >= 0 ? spread : Infinity; // means on a line have no inverse
  const excess = Math.max(risk - leastRisk(C, means[0].length, decay), 0);
  return { excess, variability, distance: Math.sqrt(square(gaps)), steepest };
}

// Where the part of a state that lies in S takes the class means: N^(-1/2) times the polar factor
// of P (W + sqrt(N) M), of the length that decay leaves. Newton's and Schulz's iteration.
function corners(state, decay) {
  const means = classMeans(state);
  const both = state.W.map((row, c) => row.map((one, k) => one + Math.sqrt(N) * means[c][k]));
  let rows = centered(both);
  rows = times(1 / Math.sqrt(square(rows)), rows);
  for (let round = 0; round < ROUNDS; round += 1) {
    const gram = products(rows);
    rows = rows.map((row) => row.map((one, k) => 1.5 * one - 0.5 * inner(row, gram[k])));
  }
  return times(Math.sqrt((Math.sqrt(N) - decay) / N), rows);
}

// A chart holds at most ROWS rows: when it is full, every second one goes.
function record(chart, state, decay) {
  if (chart.step > ROWS * chart.every) {
    chart.every *= 2;
    chart.rows = chart.rows.filter((row) => row.step % chart.every === 0);
  }
  if (chart.step % chart.every === 0) {
    chart.rows.push({ step: chart.step, H: state.H, ...measure(state, decay) });
  }
}

// The lines of a chart.
function curves(frame, { rows, every }) {
  const points = (key) => rows.map((row) => [row.step / (ROWS * every), row[key]]);
  return Object.fromEntries(MEASURES.map((key) => [key, line(frame, points(key))]));
}

// Two orthonormal directions, to the right and upwards, in which space is seen.
function eye(p, turn) {
  if (p === 2) return [[1, 0], [0, 1]];
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  return [[cos, 0, sin], [sin * Math.sin(TILT), Math.cos(TILT), -cos * Math.sin(TILT)]];
}

const seen = ([right, up], h) => [SCALE * inner(right, h), -SCALE * inner(up, h)];
const pixels = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;
const joined = (points) => (points.length ? `M${points.map(pixels).join("L")}` : "");

// The mark of a class around a place, of a size in pixels.
function mark(c, [x, y], size) {
  const points = CORNERS[c].map(([dx, dy]) => [x + size * dx, y + size * dy]);
  if (points.length) return `${joined(points)}Z`;
  return `M${pixels([x, y - size])}a${size} ${size} 0 0 1 0 ${2 * size}a${size} ${size} 0 0 1 0 ${-2 * size}Z`;
}

function arrow([x, y]) {
  const length = Math.hypot(x, y);
  const barb = Math.min(9, length / 3) / length;
  const side = (turn) => [x - barb * (x - turn * y), y - barb * (y + turn * x)];
  return `${joined([[0, 0], [x, y]])}${joined([side(0.7), [x, y], side(-0.7)])}`;
}

// The paths of a state, seen from an angle; `past` holds earlier features.
function sketch(state, decay, turn, past) {
  const from = eye(state.W[0].length, turn);
  const lines = {};
  for (let c = 0; c < 4; c += 1) {
    const there = c < state.W.length;
    const own = Array.from({ length: there ? N : 0 }, (_, k) => c * N + k);
    lines[`samples_${c}`] = own.map((i) => mark(c, seen(from, state.H[i]), 3)).join("");
    lines[`trail_${c}`] = own
      .map((i) => joined(past.map((H) => seen(from, H[i]))))
      .join("");
    lines[`mean_${c}`] = there ? mark(c, seen(from, classMeans(state)[c]), 8) : "";
    lines[`row_${c}`] = there ? arrow(seen(from, times(1 / Math.sqrt(N), state.W)[c])) : "";
  }
  const ends = corners(state, decay).map((one) => seen(from, one));
  const edges = ends.flatMap((one, c) => ends.slice(c + 1).map((other) => joined([one, other])));
  lines.simplex = edges.join("");
  return lines;
}
