// The simulation: it plays in the page, and class means can be taken by mouse, finger or keys.

const SEED = 1;
const [WIDE, HIGH] = [165, 125]; // a class mean can be taken so far to the side, and so far up
const NUDGE = 10; // pixels per press of an arrow key
const EVERY = 5; // steps from one row to the next at first
const REST = 1e-5; // no slope is steeper: nothing moves any more
const NEAR = 0.01; // below, a measure counts as collapsed
const TURN = 0.6; // the angle from which space is seen at first
const TURNING = 0.25; // per second
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function tell(status, setting, steps, { variability, distance }) {
  const openings = {
    start: "Before the first step.",
    playing: "Running.",
    paused: `Paused after ${steps} steps.`,
    held: "Held.",
    rest: `At rest after ${steps} steps.`,
  };
  const formed = distance < NEAR ? "and their means form a simplex" : "but their means form no simplex";
  const shape = variability < NEAR ? `The samples of each class have met, ${formed}.` : "The samples of each class are spread out.";
  const closings = {
    start: "Press play, or move a class mean with the mouse, a finger or the arrow keys.",
    playing: "",
    paused: "Press play to go on.",
    held: "",
    rest: distance < NEAR ? "Move a class mean and it falls back." : "",
  };
  if (setting.decay === 0) {
    closings.rest = distance < NEAR
      ? "Move a class mean: without decay it does not come back to a simplex."
      : "Without decay, what was out of balance between features and classifier stays so.";
  }
  if (setting.kind === "tight") closings.rest = "Four classes have no room for a simplex in the plane.";
  return `${openings[status]} ${shape} ${closings[status]}`.trim();
}

function words(setting, chart, numbers) {
  const told = {
    decay: numeral(setting.decay),
    size: numeral(10 ** setting.size),
    speed: String(15 * 2 ** setting.speed),
    steps: String(chart.step),
    half: String((ROWS * chart.every) / 2),
    whole: String(ROWS * chart.every),
  };
  for (const key of MEASURES) told[key] = numeral(numbers[key]);
  return told;
}

function bring(root) {
  root.dataset.awake = "";
  const frame = JSON.parse(root.querySelector("[data-frames]").textContent).chart;
  const plane = root.querySelector(".nc-plane");
  const handles = [...root.querySelectorAll(".nc-handle")];
  const controls = [...root.querySelectorAll("input, select")];
  const button = (name) => root.querySelector(`[data-do="${name}"]`);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let [setting, state, chart, status, seed, turn, since] = [{}, null, null, "start", SEED, TURN, 0];
  let [held, before, owed, said, ticket] = [null, 0, 0, 0, 0];

  const read = () => {
    setting = Object.fromEntries(controls.map((one) => [one.name, reading(one)]));
  };
  const blank = () => {
    chart = { step: 0, every: EVERY, rows: [] };
    since = -1;
    record(chart, state, setting.decay);
  };
  const restart = () => {
    const [C, p] = KINDS[setting.kind];
    state = begin(C, p, 10 ** setting.size, seed);
    [turn, held] = [TURN, null];
    if (status !== "playing") status = "start";
    blank();
  };

  // Words for the ear: not while it runs, unless they change, and then at most one a second.
  const say = (numbers, now) => {
    const output = root.querySelector("output");
    const holding = held && ["playing", "rest"].includes(status);
    const text = tell(holding ? "held" : status, setting, chart.step, numbers);
    if (output.textContent === text || (status === "playing" && now - said < 1000)) return;
    output.textContent = text;
    said = now;
  };
  const label = () => {
    const from = eye(state.W[0].length, turn);
    classMeans(state).forEach((one, c) => {
      const [x, y] = seen(from, one).map((length) => length / SCALE);
      handles[c].setAttribute("aria-valuenow", x.toFixed(2));
      handles[c].setAttribute("aria-valuetext", `${numeral(x)} to the right, ${numeral(-y)} up`);
    });
  };
  const paint = (now = performance.now()) => {
    const numbers = measure(state, setting.decay);
    const past = chart.rows.filter((row) => row.step > since).map((row) => row.H);
    const lines = { ...sketch(state, setting.decay, turn, [...past, state.H]), ...curves(frame, chart) };
    for (const path of root.querySelectorAll("[data-line]")) {
      const d = lines[path.dataset.line];
      if (path.getAttribute("d") !== d) path.setAttribute("d", d);
    }
    const told = words(setting, chart, numbers);
    for (const place of root.querySelectorAll("[data-word]")) {
      if (place.dataset.word in told) place.textContent = told[place.dataset.word];
    }
    for (const one of controls) {
      if (one.type === "range") one.setAttribute("aria-valuetext", told[one.name]);
    }
    handles.forEach((one, c) => { one.style.display = c < state.W.length ? "" : "none"; });
    button("play").textContent = status === "playing" ? "Pause" : "Play";
    say(numbers, now);
    if (status !== "playing") label();
  };

  // A class mean goes to a place of the picture, and its samples with it.
  const move = (c, place) => {
    const from = eye(state.W[0].length, turn);
    const [x, y] = seen(from, classMeans(state)[c]);
    const clamp = (one, most) => Math.min(Math.max(one, -most), most);
    const across = (clamp(place[0], WIDE) - x) / SCALE;
    const up = (y - clamp(place[1], HIGH)) / SCALE;
    const shifted = (h) => h.map((one, k) => one + across * from[0][k] + up * from[1][k]);
    const H = state.H.map((h, i) => (Math.floor(i / N) === c ? shifted(h) : h));
    state = { ...state, H };
  };
  const run = (steps) => {
    for (let k = 0; k < steps; k += 1) {
      state = advance(state, setting.decay, 1);
      if (held) move(held.c, held.place);
      chart.step += 1;
      record(chart, state, setting.decay);
    }
  };
  const frameOf = (now) => {
    if (status !== "playing" || !root.isConnected) return;
    const elapsed = Math.min(Math.max(now - before, 0), 100) / 1000; // a hiccup is not caught up
    before = now;
    owed += elapsed * 15 * 2 ** setting.speed;
    const steps = Math.round(owed);
    owed -= steps;
    run(steps);
    if (!calm.matches) turn += elapsed * TURNING;
    if (!held && measure(state, setting.decay).steepest < REST) status = "rest";
    paint(now);
    ticket = requestAnimationFrame(frameOf);
  };
  const play = () => {
    status = "playing";
    [before, owed] = [performance.now(), 0];
    paint();
    cancelAnimationFrame(ticket); // never two loops
    ticket = requestAnimationFrame(frameOf);
  };
  const pause = () => {
    status = "paused";
    paint();
  };
  // What has come to rest by itself wakes when it is disturbed; a pause lasts.
  const disturbed = () => {
    since = chart.step;
    if (status === "rest") play();
    else paint();
  };

  const point = (event) => {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(plane.getScreenCTM().inverse());
    return [x, y];
  };
  handles.forEach((handle, c) => {
    const places = () => classMeans(state).map((one) => seen(eye(state.W[0].length, turn), one));
    const names = { tabindex: 0, role: "slider", "aria-label": `mean of class ${c + 1}`, "aria-valuemin": -0.75, "aria-valuemax": 0.75 };
    for (const [name, value] of Object.entries(names)) handle.setAttribute(name, value);
    // touch-action alone does not keep Chromium from scrolling with a finger on a shape.
    handle.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    handle.addEventListener("pointerdown", (event) => {
      if (held || event.button) return;
      event.preventDefault();
      const [atX, atY] = point(event);
      const far = places().map(([x, y]) => Math.hypot(x - atX, y - atY));
      const nearest = far.indexOf(Math.min(...far)); // handles overlap near the origin
      const [x, y] = places()[nearest];
      handles[nearest].setPointerCapture(event.pointerId);
      held = { c: nearest, id: event.pointerId, place: [x, y], off: [x - atX, y - atY] };
    });
    handle.addEventListener("pointermove", (event) => {
      if (held?.id !== event.pointerId || held.c !== c) return;
      held.place = point(event).map((one, k) => one + held.off[k]);
      move(c, held.place);
      since = chart.step;
      if (status === "rest") play();
      else if (status !== "playing") paint();
    });
    const release = (event) => {
      if (held?.id !== event.pointerId || held.c !== c) return;
      held = null;
      disturbed();
    };
    handle.addEventListener("pointerup", release);
    handle.addEventListener("pointercancel", release);
    handle.addEventListener("keydown", (event) => {
      const way = ARROWS[event.key];
      if (!way) return;
      event.preventDefault();
      const [x, y] = places()[c];
      move(c, [x + NUDGE * way[0], y + NUDGE * way[1]]);
      disturbed();
      label();
    });
  });
  plane.setAttribute("role", "group"); // what holds handles is more than an image

  const actions = {
    play: () => (status === "playing" ? pause() : play()),
    step: () => {
      status = "paused";
      run(1);
      paint();
    },
    another: () => {
      seed += 1;
      restart();
      paint();
    },
    clear: () => {
      blank();
      paint();
    },
    again: () => {
      for (const one of controls) {
        if (one.type === "range") one.value = one.defaultValue;
        else for (const option of one.options) option.selected = option.defaultSelected;
      }
      [status, seed] = ["start", SEED];
      read();
      restart();
      paint();
    },
  };
  for (const [name, action] of Object.entries(actions)) button(name).addEventListener("click", action);
  root.addEventListener("input", (event) => {
    read();
    if (["kind", "size"].includes(event.target.name)) restart();
    else if (event.target.name === "decay" && status === "rest") play();
    paint();
  });
  // A notebook throws the page's old cell away at each run, but not what listens to the document.
  const hide = () => {
    if (!root.isConnected) document.removeEventListener("visibilitychange", hide);
    else if (document.hidden && status === "playing") pause();
  };
  document.addEventListener("visibilitychange", hide);
  read();
  restart();
  paint();
}

document.querySelectorAll('[data-explorer="simulation"]:not([data-awake])').forEach(bring);
