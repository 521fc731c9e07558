// The loss of one feature before a collapsed classifier, in polar coordinates: s its length,
// theta its angle to the row of its class. Rows have length rho; there is no bias.

// alpha/2 (z - M)^2 + half the sum of the other logits' squares, and its derivatives.
function squaredLoss(K, alpha, M, rho) {
  const across = (rho * rho * K) / (K - 1);
  const pull = (z) => rho * (alpha * (M - z) + z);
  const own = (s, theta) => rho * s * Math.cos(theta);
  return {
    loss(s, theta) {
      const z = own(s, theta);
      return (alpha * (z - M) ** 2 - z * z + across * s * s) / 2;
    },
    inLength: (s, theta) => across * s - pull(own(s, theta)) * Math.cos(theta),
    inAngle: (s, theta) => s * pull(own(s, theta)) * Math.sin(theta),
  };
}

// Cross-entropy in the plane of the rows of two classes; theta turns from one to the other.
function crossEntropy(K, rho) {
  const counts = [1, 1, K - 2]; // of classes with the same logit
  const logits = (s, theta) => {
    const [cos, sin] = [Math.cos(theta), Math.sin(theta)];
    return [
      s * cos,
      (s * (Math.sqrt(K * (K - 2)) * sin - cos)) / (K - 1),
      (-s * (Math.sqrt(K / (K - 2)) * sin + cos)) / (K - 1),
    ].map((logit) => rho * logit);
  };
  const parts = (z) => {
    const top = Math.max(...z);
    const weights = z.map((one, k) => counts[k] * Math.exp(one - top));
    const sum = weights[0] + weights[1] + weights[2];
    return { weights: weights.map((one) => one / sum), log: top + Math.log(sum) };
  };
  const slope = (z, turned) => {
    const { weights } = parts(z);
    return weights.reduce((sum, weight, k) => sum + weight * turned[k], 0) - turned[0];
  };
  return {
    loss(s, theta) {
      const z = logits(s, theta);
      return parts(z).log - z[0];
    },
    inLength: (s, theta) => slope(logits(s, theta), logits(1, theta)),
    inAngle: (s, theta) => slope(logits(s, theta), logits(s, theta + Math.PI / 2)),
  };
}

// The last point of [low, high] before `passed` becomes true; it must not become false again.
function edge(passed, low, high) {
  let [inside, outside] = [low, high];
  for (let round = 0; round < 24; round += 1) {
    const middle = (inside + outside) / 2;
    if (passed(middle)) outside = middle;
    else inside = middle;
  }
  return (inside + outside) / 2;
}

// The outline of { loss <= level }, for losses that are convex along every ray and whose lowest
// value on a ray does not fall with its angle. Points are [theta, s].
function outline({ loss, inLength }, level, longest, count) {
  const best = (theta) => edge((s) => inLength(s, theta) > 0, 0, longest);
  const widest = edge((theta) => loss(best(theta), theta) > level, 0, Math.PI);
  const near = [];
  const far = [];
  for (let k = 0; k <= count; k += 1) {
    // Closer together where the outline turns back, if it does.
    const share = widest < 3.14 ? Math.sin((k / count) * (Math.PI / 2)) : k / count;
    const theta = widest * share;
    const lowest = best(theta);
    near.push([theta, edge((s) => loss(s, theta) <= level, 0, lowest)]);
    far.push([theta, edge((s) => loss(s, theta) > level, lowest, longest)]);
  }
  return [...near, ...far.reverse()];
}
