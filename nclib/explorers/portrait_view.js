// The portrait explorer: a run in space, to be played, scrubbed through epochs and turned.

const LAYERS = ["far", "middle", "near"];
const MARKS = { vertex: 9, mean: 4.2 }; // half a side of the mark at the end of an arm, pixels
const BARB = 8; // of an arrow, pixels
const LABEL = 1.4; // where the name of a class stands, in units
const SECONDS = 7; // from the first epoch to the last
const SWAY = 24; // degrees to each side while it plays: motion shows depth
const PAUSE = 600; // milliseconds before it starts by itself
const LONGEST = 100; // milliseconds from picture to picture: a page that was hidden goes on
const ICONS = { Play: "M2 1v10l9 -5z", Pause: "M2 1v10h3v-10zM7 1v10h3v-10z" };

const point = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;

// A feature: round or square by its line's cap, or a triangle.
function speck(k, [x, y]) {
  return k < 2 ? `M${point(x, y)}h0` : `M${point(x, y - 1.5)}l1.6 2.8h-3.2z`;
}

// A circle, a square or a triangle: the three classes of a portrait.
function mark(k, [x, y], size) {
  if (k === 0) {
    const arc = `a${point(size, size)} 0 1 0 `;
    return `M${point(x - size, y)}${arc}${(2 * size).toFixed(1)} 0${arc}${(-2 * size).toFixed(1)} 0Z`;
  }
  if (k === 1) {
    const side = 1.8 * size;
    const corner = point(x - side / 2, y - side / 2);
    return `M${corner}h${side.toFixed(1)}v${side.toFixed(1)}h${(-side).toFixed(1)}Z`;
  }
  return `M${point(x, y - 1.2 * size)}l${point(1.1 * size, 1.9 * size)}h${(-2.2 * size).toFixed(1)}Z`;
}

// From the origin to a point, with two barbs.
function arrow([x, y]) {
  let [dx, dy] = [x - MIDDLE[0], y - MIDDLE[1]];
  const unit = BARB / Math.max(Math.hypot(dx, dy), BARB);
  [dx, dy] = [dx * unit, dy * unit];
  const barb = (turn) => point(x - dx + (turn * dy) / 2, y - dy - (turn * dx) / 2);
  return `M${point(...MIDDLE)}L${point(x, y)}M${barb(1)}L${point(x, y)}L${barb(-1)}`;
}

// Everything from back to front: the dots of a layer, then an arm, layer by layer.
function view({ epoch: share, turn }, run) {
  const places = projected(mixed(run, share), turn);
  const simplex = run.simplex.map((number) => number / 1000);
  const vertices = projected(simplex, turn);
  const [means, rows] = [places.slice(-6, -3), places.slice(-3)];
  const lines = { triangle: `M${vertices.map(([x, y]) => point(x, y)).join("L")}Z` };
  let from = 0;
  run.counts.forEach((count, k) => {
    const cloud = places.slice(from, (from += count));
    LAYERS.forEach((name, layer) => {
      const dots = cloud.filter((place) => layerOf(place) === layer);
      lines[`dots${k}_${name}`] = dots.map((place) => speck(k, place)).join("");
    });
  });
  const order = [0, 1, 2].sort((a, b) => vertices[a][2] - vertices[b][2]);
  order.forEach((k, layer) => {
    for (const [kind, ends] of Object.entries({ vertex: vertices, mean: means })) {
      const stick = `M${point(...MIDDLE)}L${point(...ends[k].slice(0, 2))}`;
      lines[`${kind}_${LAYERS[layer]}`] = stick + mark(k, ends[k], MARKS[kind]);
    }
    lines[`row_${LAYERS[layer]}`] = arrow(rows[k]);
  });
  projected(simplex, turn, LABEL).forEach(([x, y], k) => {
    lines[`name${k}`] = `translate(${point(x, y)})`;
  });
  const [first, last] = [run.epochs[0], run.epochs[run.epochs.length - 1]];
  const [k] = between(run.epochs, share);
  const words = {
    epoch: String(Math.floor(first * (last / first) ** share + 1e-6)), // whole epochs
    turn: `${Math.round(turn)}°`.replace("-", "−"),
    sentence:
      `Measured after epoch ${run.epochs[k]}: ${numeral(run.errors[k])} % of the images ` +
      `misclassified, NC1 = ${numeral(run.nc1[k])}.`,
  };
  return { lines, words };
}

// Playing and turning by hand. Both move the sliders, but draw between their steps.
function live(root, { epoch, turn }, redraw) {
  const button = root.querySelector("[data-play]");
  const stage = root.querySelector("[data-stage]");
  const told = root.querySelector("output");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let share = Number(epoch.value);
  let base = Number(turn.value); // the sway comes on top of it
  let frame = 0; // of the animation; 0 while it rests

  const sway = () => (frame && !calm.matches ? SWAY * Math.sin(2 * Math.PI * share) : 0);
  const around = (degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;
  const show = () => {
    const exact = { epoch: share, turn: around(base + sway()) };
    [epoch.value, turn.value] = [exact.epoch, exact.turn];
    redraw(exact);
  };
  const label = (word) => {
    button.querySelector("span").textContent = word;
    button.querySelector("path").setAttribute("d", ICONS[word]);
    told.setAttribute("aria-live", word === "Pause" ? "off" : "polite"); // no flood of speech
  };
  const rest = () => {
    cancelAnimationFrame(frame);
    base = around(base + sway());
    frame = 0;
    label("Play");
  };
  const play = () => {
    if (share >= 1) share = 0;
    let before = 0;
    const step = (now) => {
      const passed = before ? Math.min(now - before, LONGEST) : 0;
      share = Math.min(1, share + passed / (1000 * SECONDS));
      before = now;
      frame = requestAnimationFrame(step);
      show();
      if (share >= 1) rest();
    };
    label("Pause");
    base -= calm.matches ? 0 : SWAY * Math.sin(2 * Math.PI * share); // nothing jumps at the start
    frame = requestAnimationFrame(step);
  };

  button.addEventListener("click", () => (frame ? rest() : play()));
  root.addEventListener("input", (event) => {
    if (event.target === epoch) {
      if (frame) rest();
      share = Number(epoch.value);
    } else base = Number(turn.value) - sway();
  });

  let hand = null; // where the pointer was last, while it holds the picture
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    hand = event.clientX;
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (hand === null) return;
    base -= ((event.clientX - hand) * 180) / stage.clientWidth;
    hand = event.clientX;
    show();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, () => (hand = null));
  }

  if (!("starts" in root.dataset) || calm.matches) return;
  share = 0;
  show();
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    setTimeout(() => { if (!frame && share === 0) play(); }, PAUSE);
  }, { threshold: 0.5 });
  seen.observe(stage);
}

wake("portrait", view, live);
