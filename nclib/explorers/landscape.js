// Global minimizers of the squared loss with weight decay, for any bias decay and rescaling.
//
// The features before the classifier are W H = (x P + y 11'/K) times blocks, the bias is beta for
// every class, and of the decays of W and H only c = K sqrt(n lambda_W lambda_H) matters.

// Above this c nothing is learned.
function vanishing(K, bias, alpha, M) {
  return (alpha * M * K * (1 + bias)) / (K * (1 + bias) + alpha - 1);
}

// Below this c the class means share a component, because the bias has become too dear.
function sharing(bias, alpha, M) {
  return (alpha * M * bias) / (alpha + bias);
}

function minimizer(K, c, bias, alpha, M) {
  if (c >= vanishing(K, bias, alpha, M)) {
    return { regime: "nothing", x: 0, y: 0, beta: (alpha * M) / (alpha + K - 1 + K * bias) };
  }
  if (c >= sharing(bias, alpha, M)) {
    const all = K * (1 + bias);
    const x = (alpha * M * all - c * (all + alpha - 1)) / (alpha * all - (alpha - 1) * bias);
    return { regime: "simplex", x, y: 0, beta: (c + x) / all };
  }
  const x = M - c / alpha;
  return { regime: "shared", x, y: x - c / bias, beta: c / (K * bias) };
}

// Inner products of the class means, up to a common factor: of each with itself, of two.
function gram(K, { x, y }) {
  return { own: (x * (K - 1) + y) / K, other: (y - x) / K };
}
