// Draws the figures to turn by hand. The library lies beside the pages; it is fetched once, when a
// reader comes near the first such figure. Slider and button are the page's own, so that they work
// with the keyboard and for a screen reader; Plotly's are left out.

(() => {
"use strict";

const LIBRARY = new URL("vendor/plotly/plotly-gl3d.min.js", document.currentScript.src).href;
const NEAR = "500px"; // below the window, a figure is about to be seen
const TALLEST = 460; // pixels; on a phone a figure is a square
const BEAT = 300; // milliseconds from one frame to the next while it plays
const QUIET = {
  displayModeBar: false,
  displaylogo: false,
  responsive: true,
  scrollZoom: false, // or a wheel that scrolls through the chapter would get caught
  showLink: false,
};
const STILL = "The picture before it shows the same, standing still.";

let asked = null; // the promise of the library

function library() {
  asked ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = LIBRARY;
    script.onload = () => resolve(window.Plotly);
    script.onerror = reject;
    document.head.append(script);
  });
  return asked;
}

function drawsInSpace() {
  const context = document.createElement("canvas").getContext("webgl");
  context?.getExtension("WEBGL_lose_context")?.loseContext(); // a page has only a few of them
  return context !== null;
}

function element(name, properties, ...inside) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...inside);
  return made;
}

function slider(name, properties) {
  const value = element("b", {});
  const input = element("input", { type: "range", ...properties });
  const label = element("label", {}, `${name} `, value, input);
  const say = (words) => {
    value.textContent = words;
    input.setAttribute("aria-valuetext", words);
  };
  return { label, input, say };
}

// The value at a dotted path such as "marker.color".
const at = (thing, path) => path.split(".").reduce((inner, key) => inner?.[key], thing);

// The page's ink, and on a dark page what each trace asks for there.
async function paint(Plotly, plot, figure) {
  const night = document.documentElement.dataset.theme === "dark";
  for (const [k, trace] of figure.data.entries()) {
    const dark = Object.entries(trace.meta?.dark ?? {});
    const colors = dark.map(([path, value]) => [path, [night ? value : at(trace, path)]]);
    if (colors.length) await Plotly.restyle(plot, Object.fromEntries(colors), [k]);
  }
  await Plotly.relayout(plot, { "font.color": getComputedStyle(plot).color });
}

function epochs(Plotly, plot, { steps, currentvalue }) {
  const name = (currentvalue?.prefix ?? "").trim();
  const knob = slider(name.charAt(0).toUpperCase() + name.slice(1), {
    min: 0, max: steps.length - 1, step: 1, value: 0,
  });
  const button = element("button", { type: "button", textContent: "Play" });
  let timer = 0;
  const show = () => {
    const { label, args } = steps[knob.input.valueAsNumber];
    knob.say(label);
    Plotly.animate(plot, ...args).catch(() => {}); // a newer frame has taken its place
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = "Play";
  };
  const last = () => knob.input.valueAsNumber === steps.length - 1;
  button.addEventListener("click", () => {
    if (timer) return stop();
    button.textContent = "Pause";
    knob.input.value = last() ? 0 : knob.input.valueAsNumber + 1;
    show();
    timer = setInterval(() => {
      if (last()) return stop();
      knob.input.stepUp();
      show();
    }, BEAT);
  });
  knob.input.addEventListener("input", () => {
    stop();
    show();
  });
  knob.say(steps[0].label);
  return [button, knob.label];
}

// The camera on its circle: what a mouse does by dragging, for a keyboard. It also undoes a tilt.
function turn(Plotly, plot, { x, y, z }) {
  const [flat, first] = [Math.hypot(x, y), Math.atan2(y, x)];
  const knob = slider("Turn", { min: -180, max: 180, step: 5, value: 0 });
  knob.input.addEventListener("input", () => {
    const angle = first + (knob.input.valueAsNumber * Math.PI) / 180;
    const eye = { x: flat * Math.cos(angle), y: flat * Math.sin(angle), z };
    knob.say(`${knob.input.value}°`);
    const [center, up] = [{ x: 0, y: 0, z: 0 }, { x: 0, y: 0, z: 1 }];
    Plotly.relayout(plot, { "scene.camera": { eye, center, up } });
  });
  knob.say("0°");
  return knob.label;
}

async function draw(root) {
  const figure = JSON.parse(root.querySelector("script").textContent);
  const Plotly = await library();
  const { sliders, updatemenus, ...layout } = figure.layout;
  const plot = element("div", { className: "turning-plot" });
  root.append(plot);
  layout.autosize = true;
  layout.height = Math.min(TALLEST, root.clientWidth);
  layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
  // Before the first drawing: a later change of the family halves the letters in space.
  layout.font = { ...layout.font, family: getComputedStyle(plot).fontFamily };
  await Plotly.newPlot(plot, structuredClone(figure.data), layout, QUIET);
  await Plotly.addFrames(plot, figure.frames ?? []);
  await paint(Plotly, plot, figure);
  const controls = element("div", { className: "turning-controls" });
  if (sliders?.length) controls.append(...epochs(Plotly, plot, sliders[0]));
  const eye = layout.scene?.camera?.eye;
  if (eye) controls.append(turn(Plotly, plot, eye));
  root.append(controls);
  new MutationObserver(() => paint(Plotly, plot, figure)).observe(document.documentElement, {
    attributeFilter: ["data-theme"],
  });
  root.dataset.awake = "";
}

function excuse(root, words) {
  root.replaceChildren(element("p", { textContent: `${words} ${STILL}` }));
}

const figures = document.querySelectorAll(".turning > figure");
if (!drawsInSpace()) {
  for (const root of figures) excuse(root, "To turn this figure, a browser needs WebGL.");
  return;
}
const watch = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      watch.unobserve(target);
      draw(target).catch(() => excuse(target, "This figure could not be drawn."));
    }
  },
  { rootMargin: NEAR },
);
for (const root of figures) watch.observe(root);
})();
