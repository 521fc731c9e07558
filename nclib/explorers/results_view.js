// The results browser: what is chosen as a picture whose axes follow it, as numbers and as words.

const PAPER_EPOCHS = 350; // of every network of the papers
const PARTS = ["", "_seeds", "_zero", "_read"]; // of what is drawn of a loss
const COLUMNS = ["network", "now", "zero", "end", "paper", "paper_zero", "paper_end", "note", "command"];
const DIAMOND = 6; // pixels from its middle to a corner
const MOST = 8; // ticks of an axis
const LONGEST = 6; // characters of a numeral that has room beside an axis
const [SMALLEST, LARGEST] = [1e-4, 1e5]; // of what is written as a decimal there

const scaleOf = ({ about }) => (about.shape === "percent" ? 100 : 1);

// Axes on which all that is chosen fits; null where there is nothing to draw.
function axes(choice, size) {
  const log = choice.about.shape === "log";
  const values = [];
  let last = 0;
  for (const loss of Object.keys(choice.groups)) {
    for (const one of choice.ran(loss)) {
      values.push(...column(one, choice.split, choice.quantity));
      last = Math.max(last, one.epochs[one.epochs.length - 1]);
    }
    const printed = choice.printed(loss);
    if (printed) {
      values.push(printed.atZeroError, printed.atEnd);
      last = Math.max(last, PAPER_EPOCHS);
    }
  }
  const { limit } = choice.about;
  if (limit !== null && values.some((value) => drawable(value, log))) values.push(limit);
  const upright = valueAxis(values.map((value) => scaleOf(choice) * value), log);
  if (!upright) return null;
  const across = epochsAxis(last);
  return { size, x: across.ends, y: upright.ends, ticks: { x: across.ticks, y: upright.ticks } };
}

const upright = (frame, epoch) => line(frame, [[epoch, frame.y[0]], [epoch, frame.y[1]]]);

// A line with gaps where a number is missing or has no place; a ring around a lone point.
function curve(frame, points, scale) {
  const pieces = [[]];
  for (const [x, y] of points) {
    if (drawable(y, frame.y[2])) pieces[pieces.length - 1].push([x, scale * y]);
    else pieces.push([]);
  }
  return pieces
    .filter((piece) => piece.length)
    .map((piece) => (piece.length > 1 ? line(frame, piece) : dot(frame, ...piece[0])))
    .join("");
}

// Pixels from the upper left corner of the plot.
function placeOf({ size: [width, height], x, y }, across, up) {
  return [width * fraction(x, across), height * (1 - fraction(y, up))];
}

function diamond(frame, x, y) {
  const [across, down] = placeOf(frame, x, y);
  const sides = `l${DIAMOND} ${DIAMOND} -${DIAMOND} ${DIAMOND} -${DIAMOND} -${DIAMOND}Z`;
  return `M${across.toFixed(1)} ${(down - DIAMOND).toFixed(1)}${sides}`;
}

// All lines of the grid as one path.
function gridOf(frame) {
  const [width, height] = frame.size;
  const [low, bottom] = [frame.x[0], frame.y[0]];
  const up = frame.ticks.x.map((tick) => `M${placeOf(frame, tick, bottom)[0].toFixed(1)} 0v${height}`);
  const across = frame.ticks.y.map((tick) => `M0 ${placeOf(frame, low, tick)[1].toFixed(1)}h${width}`);
  return [...up, ...across].join("");
}

// What stands along an axis, in one notation: decimals where all of them are short, else powers.
function notation(marks) {
  const sizes = marks.map((mark) => Number(Math.abs(mark).toPrecision(3)));
  const short = (one) => one >= SMALLEST && one < LARGEST && String(one).length <= LONGEST;
  const plain = sizes.every((one) => !one || short(one));
  return marks.map((mark, k) => {
    const sign = mark < 0 && sizes[k] ? "−" : "";
    if (plain || sizes[k] === 0 || (sizes[k] >= 1 && sizes[k] < 1000)) return sign + sizes[k];
    const [digits, power] = sizes[k].toExponential().split("e");
    const raised = [...String(Number(power))].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
    return `${sign}${digits === "1" ? "" : `${digits}·`}10${raised.join("")}`;
  });
}

// Where numerals stand along the axes, and which; those that are not needed are empty.
function numerals(frame, [left, top]) {
  const [lines, words] = [{}, {}];
  for (const axis of ["x", "y"]) {
    const texts = frame ? notation(frame.ticks[axis]) : [];
    for (let k = 0; k < MOST; k += 1) {
      const tick = frame ? frame.ticks[axis][k] : undefined;
      [lines[`${axis}${k}`], words[`${axis}${k}`]] = ["translate(0 0)", ""];
      if (tick === undefined) continue;
      const [x, y] = axis === "x" ? placeOf(frame, tick, frame.y[0]) : placeOf(frame, frame.x[0], tick);
      const place = axis === "x" ? [left + x, top + frame.size[1] + 16] : [left - 5, top + y + 4];
      lines[`${axis}${k}`] = `translate(${place[0].toFixed(1)} ${place[1].toFixed(1)})`;
      words[`${axis}${k}`] = texts[k];
    }
  }
  return { lines, words };
}

function paths(choice, frame, losses) {
  const lines = { grid: "", limit: "", now: "" };
  for (const loss of Object.keys(losses)) for (const part of PARTS) lines[loss + part] = "";
  if (!frame) return lines;
  const scale = scaleOf(choice);
  const { limit } = choice.about;
  lines.grid = gridOf(frame);
  if (limit !== null) lines.limit = line(frame, [[frame.x[0], scale * limit], [frame.x[1], scale * limit]]);
  if (choice.epoch !== null) lines.now = upright(frame, choice.epoch);
  for (const loss of Object.keys(choice.groups)) {
    const ran = choice.ran(loss);
    const printed = choice.printed(loss);
    lines[loss] = curve(frame, choice.average(loss), scale);
    if (ran.length > 1) lines[`${loss}_seeds`] = ran.map((one) => curve(frame, choice.points(one), scale)).join("");
    const zeros = [...new Set(ran.map((one) => one.zero))].filter((zero) => zero !== null);
    lines[`${loss}_zero`] = zeros.sort((a, b) => a - b).map((zero) => upright(frame, zero)).join("");
    if (printed && drawable(printed.atEnd, frame.y[2])) {
      lines[`${loss}_read`] = diamond(frame, PAPER_EPOCHS, scale * printed.atEnd);
    }
  }
  return lines;
}

// The number as the table has it; a dash where there is none.
function written({ about }, value) {
  if (Number.isNaN(value)) return "–";
  return about.shape === "percent" ? `${(100 * value).toFixed(2)}\u00a0%` : numeral(value);
}

// What the paper has of this quantity.
function paperOf(choice, loss, { papers, splits }) {
  const printed = choice.printed(loss);
  if (!choice.groups[loss][0].full) return "The papers have no such run.";
  if (printed) return `The paper's numbers: ${printed.source}.`;
  const figure = choice.about.figures[loss];
  if (!figure) return `${papers[loss]} do not show it.`;
  return `${papers[loss]} show it on ${splits[choice.about.seen]} in ${figure}, as curves.`;
}

// Where our runs come from, or that there is none.
function oursOf(choice, loss) {
  const ran = choice.ran(loss);
  if (!ran.length) return "Ours has not been run; this would do it:";
  const told = ran.map(({ told: origin, zero, epochs }) => {
    const when = zero === null ? "never" : `at epoch ${zero}`;
    return `${origin}; zero error ${when}, last look at ${epochs[epochs.length - 1]}.`;
  });
  const mean = ran.length > 1 ? ` The numbers are means of ${ran.length} seeds.` : "";
  return `Ours: ${told.join(" ")}${mean}`;
}

// What is said of a loss: our numbers, the paper's, and where both come from.
function columnOf(choice, loss, known) {
  const said = Object.fromEntries(COLUMNS.map((part) => [part, ""]));
  const group = choice.groups[loss];
  if (!group) return said;
  if (!group.length) return { ...said, now: "no such cell" };
  const printed = choice.printed(loss);
  said.network = group[0].network;
  if (choice.ran(loss).length) {
    said.now = written(choice, choice.at(loss, choice.epoch));
    said.zero = written(choice, choice.atZeroError(loss));
    said.end = written(choice, choice.atEnd(loss));
  } else {
    [said.now, said.command] = ["not run", group[0].command];
  }
  if (printed) {
    said.paper = `${known.losses[loss]}, the paper's`;
    said.paper_zero = written(choice, printed.atZeroError);
    said.paper_end = written(choice, printed.atEnd);
  }
  const title = known.losses[loss][0].toUpperCase() + known.losses[loss].slice(1);
  said.note = `${title}. ${paperOf(choice, loss, known)} ${oursOf(choice, loss)}`;
  return said;
}

// What the marks beside the curves stand for: of those that are drawn.
function keyOf(lines, losses) {
  const any = (part) => losses.some((loss) => lines[loss + part]);
  const drawn = [];
  if (any("_zero")) drawn.push("dotted: zero training error");
  if (lines.now) drawn.push("thin: the epoch of the table");
  const parts = drawn.length ? [`Upright, ${drawn.join("; ")}.`] : [];
  if (any("_read")) parts.push("Diamond: the paper's value at the end.");
  return parts.join(" ");
}

// Why there is no curve.
function missing({ groups, epochs }) {
  const all = Object.values(groups);
  if (!all.some((group) => group.length)) return all.length ? "no such cell" : "no loss is chosen";
  return epochs.length ? "not measured" : "not run";
}

function titleOf({ about, where, split }, splits) {
  return `${about.label[0].toUpperCase()}${about.label.slice(1)}: ${where}, ${splits[split]}`;
}

function view(setting, known) {
  const { losses, splits } = known;
  const choice = choose(setting, known);
  const frame = axes(choice, known.size);
  const marks = numerals(frame, known.corner);
  const lines = { ...paths(choice, frame, losses), ...marks.lines };
  const { about, epoch, epochs } = choice;
  const words = { ...marks.words, title: titleOf(choice, splits), says: about.says };
  words.look = epoch === null ? "" : `epoch ${epoch}`;
  words.across = frame ? "epoch" : "";
  words.upright = frame ? about.formula + (scaleOf(choice) > 1 ? ", %" : "") : "";
  for (const loss of Object.keys(losses)) {
    const said = columnOf(choice, loss, known);
    for (const [part, text] of Object.entries(said)) words[`${loss}_${part}`] = text;
    lines[`${loss}_row`] = said.paper ? "" : "nc-absent";
  }
  words.empty = Object.keys(losses).some((loss) => lines[loss]) ? "" : missing(choice);
  lines.looks = String(Math.max(epochs.length - 1, 0));
  const spoken = (text) => (text === "–" ? "not measured" : text);
  const told = Object.keys(choice.groups).map((loss) => `${spoken(words[`${loss}_now`])} with ${losses[loss]}`);
  words.key = keyOf(lines, Object.keys(losses));
  const when = [words.title, words.look].filter((text) => text).join(", ");
  words.sentence = `${when}: ${told.join("; ") || "no loss is chosen"}.`;
  return { lines, words };
}

// The slider keeps its share of the way when another choice has more looks, or fewer.
function settle(root, { look }, redraw) {
  const first = look.max > 0 ? look.value / look.max : 1;
  let share = first;
  const rest = () => (look.disabled = look.getAttribute("aria-valuetext") === ""); // no run, no epoch
  const place = () => {
    look.value = Math.round(share * look.max);
    redraw();
    rest();
  };
  root.addEventListener("input", (event) => {
    if (event.target !== look) place();
    else if (look.max > 0) share = look.value / look.max;
  });
  root.querySelector("button").addEventListener("click", () => {
    share = first;
    place();
  });
  rest();
}

wake("results", view, settle);
