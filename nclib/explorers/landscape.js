// Global minimizers of the squared loss with weight decay, for any bias decay and rescaling.
//
// The scores of the classes are x P + y 11'/K without the bias, which is beta for every class, and
// of the decays of W and H only c = K sqrt(n lambda_W lambda_H) matters.

// From this c on nothing is learned.
function vanishing(K, bias, alpha, M) {
  return (alpha * M * K * (1 + bias)) / (K * (1 + bias) + alpha - 1);
}

// Below this c the class means share a component, because the bias has become too dear.
function sharing(bias, alpha, M) {
  return (alpha * M * bias) / (alpha + bias);
}

function minimizer(K, c, bias, alpha, M) {
  const free = M - c / alpha;
  if (free > c / bias) {
    return { regime: "between", x: free, y: free - c / bias, beta: c / (K * bias) };
  }
  const all = K * (1 + bias);
  const x = (alpha * M * all - c * (all + alpha - 1)) / (alpha * all - (alpha - 1) * bias);
  if (x <= 1e-12 * M) {
    return { regime: "zero", x: 0, y: 0, beta: (alpha * M) / (alpha + K - 1 + K * bias) };
  }
  return { regime: "simplex", x, y: 0, beta: (c + x) / all };
}

// Inner products of the class means, up to a common factor: of each with itself, of two.
function gram(K, { x, y }) {
  return { own: x - (x - y) / K, other: (y - x) / K };
}
