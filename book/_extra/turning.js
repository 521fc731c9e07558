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
const ICONS = { Play: "M2 1v10l9 -5z", Pause: "M2 1v10h3v-10zM7 1v10h3v-10z" };
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
  const input = element("input", { type: "range", autocomplete: "off", ...properties });
  const label = element("label", {}, `${name} `, value, input);
  const say = (words) => {
    value.textContent = words;
    input.setAttribute("aria-valuetext", words);
  };
  return { label, input, say };
}

function player() {
  const icon = '<svg viewBox="0 0 12 12" aria-hidden="true"><path/></svg><span></span>';
  const button = element("button", { type: "button", innerHTML: icon });
  const label = (word) => {
    button.querySelector("path").setAttribute("d", ICONS[word]);
    button.querySelector("span").textContent = word;
  };
  label("Play");
  return { button, label };
}

// Plotly would keep wheel and finger to itself, and the page under them would stand still. A finger
// turns the figure by the slider.
function letPageScroll(plot) {
  for (const kind of ["wheel", "touchstart", "touchmove", "touchend", "touchcancel"]) {
    const options = { capture: true, passive: true };
    plot.addEventListener(kind, (event) => event.stopPropagation(), options);
  }
}

// Plotly goes on with the speed of a hand that has gone, for as long as the next frame takes, and
// says nothing of it: the next change of the figure then throws the camera back. It stands where
// the hand leaves it.
function stopGlide(Plotly, plot) {
  let held = false;
  const grip = ({ pointerType }) => (held = pointerType !== "touch");
  const release = () => {
    if (!held) return;
    held = false;
    Plotly.relayout(plot, { "scene.camera": plot._fullLayout.scene._scene.getCamera() });
  };
  plot.addEventListener("pointerdown", grip, { capture: true });
  for (const kind of ["pointerup", "pointercancel"]) window.addEventListener(kind, release);
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
  const knob = slider(name, { min: 0, max: steps.length - 1, step: 1, value: 0 });
  const { button, label: say } = player();
  let timer = 0;
  const show = () => {
    const { label, args } = steps[knob.input.valueAsNumber];
    knob.say(label);
    Plotly.animate(plot, ...args).catch(() => {}); // a newer frame has taken its place
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    say("Play");
  };
  const last = () => knob.input.valueAsNumber === steps.length - 1;
  button.addEventListener("click", () => {
    if (timer) return stop();
    say("Pause");
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
  // The next frame would take the camera out of the hand. A finger only scrolls.
  plot.addEventListener("pointerdown", ({ pointerType }) => pointerType !== "touch" && stop(), {
    capture: true,
  });
  knob.say(steps[0].label);
  return [button, knob.label];
}

// The camera on its circle: what a mouse does by dragging, for a keyboard and a finger. It also
// undoes a tilt. The slider follows the mouse.
function turn(Plotly, plot, { x, y, z }) {
  const [flat, first] = [Math.hypot(x, y), Math.atan2(y, x)];
  const knob = slider("turn", { min: -180, max: 180, step: 1, value: 0 });
  knob.input.addEventListener("input", () => {
    const angle = first + (knob.input.valueAsNumber * Math.PI) / 180;
    const eye = { x: flat * Math.cos(angle), y: flat * Math.sin(angle), z };
    knob.say(`${knob.input.value}°`);
    const [center, up] = [{ x: 0, y: 0, z: 0 }, { x: 0, y: 0, z: 1 }];
    Plotly.relayout(plot, { "scene.camera": { eye, center, up } });
  });
  const follow = (changes) => {
    const { eye, center } = changes["scene.camera"] ?? {};
    if (!eye) return;
    const azimuth = Math.atan2(eye.y - (center?.y ?? 0), eye.x - (center?.x ?? 0));
    const turned = (((azimuth - first) * 180) / Math.PI + 540) % 360;
    const angle = Math.round(turned) - 180;
    if ((angle - knob.input.valueAsNumber) % 360 === 0) return; // both ends are one direction
    knob.input.value = angle;
    knob.say(`${angle}°`);
  };
  plot.on("plotly_relayouting", follow);
  plot.on("plotly_relayout", follow);
  knob.say("0°");
  return knob.label;
}

async function draw(root) {
  const figure = JSON.parse(root.querySelector("script").textContent);
  const Plotly = await library();
  const { sliders, updatemenus, ...layout } = figure.layout;
  const plot = element("div", { className: "turning-plot" });
  root.append(plot);
  letPageScroll(plot);
  layout.autosize = true;
  layout.height = Math.min(TALLEST, root.clientWidth);
  layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
  // Before the first drawing: a later change of the family halves the letters in space.
  layout.font = { ...layout.font, family: getComputedStyle(plot).fontFamily };
  await Plotly.newPlot(plot, structuredClone(figure.data), layout, QUIET);
  await Plotly.addFrames(plot, figure.frames ?? []);
  await paint(Plotly, plot, figure);
  stopGlide(Plotly, plot);
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
