// Shared by the explorers: where a number lies, lines, numerals, and the wiring of a page.
// The axes are already there when a script starts; it moves only what depends on the setting.

const BEYOND = 2; // how far outside its window a point may lie, in units of the window

function fraction([low, high, log], value) {
  const share = log
    ? Math.log(value / low) / Math.log(high / low)
    : (value - low) / (high - low);
  return Math.min(Math.max(share, -BEYOND), 1 + BEYOND);
}

// A broken line through points of the axes; a point is a pair of numbers.
function line(frame, points) {
  const [width, height] = frame.size;
  const places = points.map(([x, y]) => {
    const across = width * fraction(frame.x, x);
    const down = height * (1 - fraction(frame.y, y));
    return `${across.toFixed(1)} ${down.toFixed(1)}`;
  });
  return places.length ? `M${places.join("L")}` : "";
}

// A small circle around a point of the axes.
function dot(frame, x, y) {
  const [width, height] = frame.size;
  const [across, down] = [width * fraction(frame.x, x), height * (1 - fraction(frame.y, y))];
  return `M${across.toFixed(1)} ${(down - 5).toFixed(1)}a5 5 0 0 1 0 10a5 5 0 0 1 0 -10Z`;
}

// Three digits, as one would write them by hand.
function numeral(value) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Number(Math.abs(value).toPrecision(3));
  const sign = value < 0 && size ? "−" : "";
  if (size === 0 || (size >= 1e-3 && size < 1e5)) return sign + size;
  const [digits, power] = size.toExponential().split("e");
  const raised = "10" + [...String(Number(power))].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("");
  return sign + (digits === "1" ? raised : `${digits} × ${raised}`);
}

function reading(control) {
  if (control.type === "checkbox") return control.checked;
  return control.type === "range" ? Number(control.value) : control.value;
}

// Wake every explorer of a kind that still sleeps: `view` turns a setting into paths and words.
// `live`, where there is one, adds what an explorer does besides; it may redraw with values that
// lie between the steps of a slider.
function wake(kind, view, live) {
  for (const root of document.querySelectorAll(`[data-explorer="${kind}"]:not([data-awake])`)) {
    root.dataset.awake = "";
    const frames = JSON.parse(root.querySelector("[data-frames]").textContent);
    const controls = [...root.querySelectorAll("input, select")];
    const redraw = (exact) => {
      const setting = Object.fromEntries(controls.map((one) => [one.name, reading(one)]));
      const { lines, words } = view({ ...setting, ...exact }, frames);
      for (const path of root.querySelectorAll("[data-line]")) {
        path.setAttribute(path.dataset.attribute || "d", lines[path.dataset.line]);
      }
      for (const place of root.querySelectorAll("[data-word]")) {
        place.textContent = words[place.dataset.word];
      }
      for (const one of controls) {
        if (one.type === "range") one.setAttribute("aria-valuetext", words[one.name]);
      }
    };
    root.addEventListener("input", () => redraw());
    root.querySelector("button:not([data-play])")?.addEventListener("click", () => {
      for (const one of controls) {
        if (one.type === "checkbox") one.checked = one.defaultChecked;
        else if (one.type === "range") one.value = one.defaultValue;
        else for (const option of one.options) option.selected = option.defaultSelected;
      }
      redraw();
    });
    redraw();
    if (live) live(root, Object.fromEntries(controls.map((one) => [one.name, one])), redraw);
  }
}
