// SNR values along four flows, each by its closed form.
//
// Every law reads  g(s) = speed * t  for s = log(omega / omega(0)), with g convex, g(0) = 0 and
// slope at least 1: Newton's steps from above the root never leave it.

// The flow within {Sigma_W = I}: C^2 N log(omega) + C N omega^2 + N/4 omega^4 grows like t.
function projectedLaw(C, N, start) {
  const square = (start * start) / C;
  const quartic = (square * square) / 4;
  return {
    speed: 1 / (C * C * N),
    value(s) {
      const grown = Math.expm1(2 * s);
      return s + grown * (square + quartic * (grown + 2));
    },
    slope: (s) => (1 + square * Math.exp(2 * s)) ** 2,
    most: (y) => Math.min(y, Math.log1p(y / square) / 2, Math.log1p(y / quartic) / 4),
  };
}

// Steps of the plain flow, each followed by whitening: C^2 N log(omega) + C N/2 omega^2.
function whitenedLaw(C, N, start) {
  const half = (start * start) / (2 * C);
  return {
    speed: 1 / (C * C * N),
    value: (s) => s + half * Math.expm1(2 * s),
    slope: (s) => 1 + 2 * half * Math.exp(2 * s),
    most: (y) => Math.min(y, Math.log1p(y / half) / 2),
  };
}

// Deviations move r times as fast as means, and pay for their growth: Sigma_W + r Sigma_B stays.
// `budget` is C r E / C^2, where E = m^2 + (C/r) s^2 is what the direction has in all.
function twoSpeedLaw(C, N, start, r, budget) {
  const square = (start * start) / C;
  const signal = r * square; // r omega^2 / C at time 0
  return {
    speed: 1 / (C * C * N * budget),
    value(s) {
      const far = s > 300; // where exp(2 s) would overflow
      const gain = far ? Infinity : (signal * Math.expm1(2 * s)) / (1 + signal);
      const logarithm = far ? 2 * s + Math.log(signal / (1 + signal)) : Math.log1p(gain);
      const share = far ? 1 / (1 + signal) : gain / (1 + signal * Math.exp(2 * s));
      return s + ((1 - r * r) * (logarithm - share) / 2 + r * (1 - r) * share) / (r * r);
    },
    slope(s) {
      const back = Math.exp(-2 * s);
      return ((square + back) / (signal + back)) ** 2;
    },
    most: (y) => y,
  };
}

// Where an increasing convex law reaches a value, from above.
function solve(law, target) {
  let s = law.most(target);
  for (let round = 0; round < 200; round += 1) {
    const next = Math.max(s - (law.value(s) - target) / law.slope(s), 0);
    if (Math.abs(next - s) <= 4e-16 * Math.abs(s)) return next;
    s = next;
  }
  return s;
}

// The logarithm of an SNR value at time t, and d log(omega) / d log(t) there.
function along(law, start, t) {
  const s = solve(law, law.speed * t);
  return { log: Math.log(start) + s, exponent: (t * law.speed) / law.slope(s) };
}

// C - 1 values from the largest down, evenly spaced on a logarithmic scale.
function spectrum(C, largest, ratio) {
  return Array.from({ length: C - 1 }, (_, j) => largest * ratio ** (-j / Math.max(C - 2, 1)));
}

// The law of one value in one flow. `white`: whether Sigma_W = I at time 0 rather than the budget.
function lawOf(flow, C, N, start, r, white) {
  if (flow === "projected") return projectedLaw(C, N, start);
  if (flow === "whitened") return whitenedLaw(C, N, start);
  const speeds = flow === "plain" ? 1 : r;
  const budget = white ? 1 + (speeds * start * start) / C : 1;
  return twoSpeedLaw(C, N, start, speeds, budget);
}
