// The rescaled explorer: the squared loss and cross-entropy over angle and length of a feature.

const LEVELS = Array.from({ length: 14 }, (_, k) => 2 ** (k - 5.5)); // in units of the loss at 0
const POINTS = 40; // on each side of an outline
const REACH = 1.5; // outlines are followed so far, in units of the picture
const ARROW = 13; // pixels

// Outlines of evenly spaced logarithms of the loss; nested, so that every other band is shaded.
function outlines(frame, picture) {
  const longest = REACH * frame.y[1];
  const atZero = picture.loss(0, 0);
  const lowest = picture.loss(edge((s) => picture.inLength(s, 0) > 0, 0, longest), 0);
  const degrees = ([theta, s]) => [(theta * 180) / Math.PI, s];
  return LEVELS.filter((level) => level * atZero > lowest)
    .map((level) => outline(picture, level * atZero, longest, POINTS).map(degrees))
    .map((points) => `${line(frame, points)}Z`)
    .join("");
}

// Where gradient descent in the feature takes it, as arrows of one length.
function arrows(frame, { inLength, inAngle }) {
  const [width, height] = frame.size;
  const paths = [];
  for (let degrees = 10; degrees < 180; degrees += 20) {
    for (let s = frame.y[1] / 12; s < frame.y[1]; s += frame.y[1] / 6) {
      const theta = (degrees * Math.PI) / 180;
      const across = (-inAngle(s, theta) / (s * s)) * (width / Math.PI);
      const down = inLength(s, theta) * (height / frame.y[1]);
      const unit = ARROW / Math.hypot(across, down);
      const [dx, dy] = [across * unit, down * unit];
      const [x, y] = [width * (degrees / 180) + dx / 2, height * (1 - s / frame.y[1]) + dy / 2];
      const barb = (turn) => `${(x - 0.35 * (dx - turn * dy)).toFixed(1)} ${(y - 0.35 * (dy + turn * dx)).toFixed(1)}`;
      paths.push(`M${(x - dx).toFixed(1)} ${(y - dy).toFixed(1)}L${x.toFixed(1)} ${y.toFixed(1)}M${barb(0.7)}L${x.toFixed(1)} ${y.toFixed(1)}L${barb(-0.7)}`);
    }
  }
  return paths.join("");
}

function view(setting, frames) {
  const K = setting.classes;
  const { alpha, target: M, rows: rho } = setting;
  const squared = squaredLoss(K, alpha, M, rho);
  const entropy = crossEntropy(K, rho);
  const stiffness = K / (K - 1) + alpha - 1; // along the row, in units of rho^2
  const best = (alpha * M) / (rho * stiffness);
  const turning = squared.inAngle(1, Math.PI / 2) / squared.inLength(1, Math.PI / 2);
  const lines = {
    squared: outlines(frames.squared, squared),
    squared_arrows: arrows(frames.squared, squared),
    entropy: outlines(frames.entropy, entropy),
    entropy_arrows: arrows(frames.entropy, entropy),
    best: dot(frames.squared, 0, best),
  };
  const words = {
    classes: String(K),
    alpha: numeral(alpha),
    target: numeral(M),
    rows: numeral(rho),
  };
  const condition = (stiffness * (K - 1)) / K;
  const place = best > frames.squared.y[1] ? ", above the picture," : "";
  words.sentence =
    `The best feature points along its row and has length ${numeral(best)}${place} under the ` +
    `squared loss; cross-entropy wants it ever longer. ` +
    `Condition number ${numeral(Math.max(condition, 1 / condition))}; at a right angle the loss falls ` +
    `${numeral(turning)} times as fast per radian as per unit of length.`;
  return { lines, words };
}

wake("rescaled", view);
