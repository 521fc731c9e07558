// The geometry of the portrait: where a run stands at a share of its log epochs, and how places
// in space fall on the picture.

const MIDDLE = [220, 190]; // where the origin lies, in pixels
const [SCALE, DISTANCE] = [145, 7]; // pixels for a unit; of the eye from the origin, in units
const [AZIMUTH, ELEVATION] = [(78 * Math.PI) / 180, (24 * Math.PI) / 180];
const EDGES = [-0.1, 0.4]; // between the layers, in units towards the reader

// The last look before a share of the run, and how far on it lies to the next one.
function between(epochs, share) {
  const last = epochs.length - 1;
  const whole = Math.log(epochs[last] / epochs[0]);
  const shares = epochs.map((epoch) => Math.log(epoch / epochs[0]) / whole);
  const k = shares.findLastIndex((one) => one <= share + 1e-9);
  if (k === last) return [k, 0];
  return [k, Math.max(0, (share - shares[k]) / (shares[k + 1] - shares[k]))];
}

// Places, three numbers each, in thousandths.
function mixed({ epochs, places }, share) {
  const [k, rest] = between(epochs, share);
  const [from, to] = [places[k], places[Math.min(k + 1, epochs.length - 1)]];
  return from.map((place, i) => (place + rest * (to[i] - place)) / 1000);
}

// Pixels across and down, and units towards the reader.
function project([x, y, z], turn) {
  const angle = AZIMUTH + (turn * Math.PI) / 180;
  const right = y * Math.cos(angle) - x * Math.sin(angle);
  const toward = x * Math.cos(angle) + y * Math.sin(angle);
  const up = z * Math.cos(ELEVATION) - toward * Math.sin(ELEVATION);
  const depth = toward * Math.cos(ELEVATION) + z * Math.sin(ELEVATION);
  const size = (SCALE * DISTANCE) / (DISTANCE - depth);
  return [MIDDLE[0] + size * right, MIDDLE[1] - size * up, depth];
}

// Numbers in threes, projected; `size` moves them away from the origin.
function projected(numbers, turn, size = 1) {
  const found = [];
  for (let i = 0; i < numbers.length; i += 3) {
    found.push(project(numbers.slice(i, i + 3).map((number) => size * number), turn));
  }
  return found;
}

const layerOf = ([, , depth]) => EDGES.filter((edge) => depth > edge).length;
