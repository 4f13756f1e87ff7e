// What a person does with the page: choose a moment, zoom, ask.
//
//   #at=5000             the moment that is chosen
//   #at=5000&from=4000&to=6000    and what is shown around it
//   #...&keys=ArrowRight,n        keys pressed at once: for tests
"use strict";

const model = new Model(JSON.parse(document.getElementById("trace").textContent));
const element = id => document.getElementById(id);
const canvas = element("lanes"), tip = element("tip");
const drawing = new Drawing(canvas, model);
const view = { from: 0, to: Math.max(model.until, 1), at: 0 };
const NEAREST = 20, ROWS = 12;

function show() {
  // What it said was of what lay under the pointer before.
  tip.hidden = true;
  drawing.draw(view.from, view.to, view.at);
  const { spans, marks, arrows, hidden, teeth, unknown } = drawing.drawn;
  // For tests, which cannot see a canvas: what was drawn.
  Object.assign(document.body.dataset, {
    spans, marks, arrows, teeth, unknown, rows: drawing.rows.length,
    at: view.at, from: Math.round(view.from), to: Math.round(view.to),
    nodes: document.querySelectorAll("*").length,
  });
  element("range").textContent = `shown: ${number(view.from)} to ${number(view.to)}` +
    (hidden ? `; zoom in to see ${number(hidden)} interrupts` : "");
}

// Chooses a moment, and says what was then.
function choose(time) {
  view.at = Math.min(Math.max(Math.round(time), 0), model.until);
  const width = view.to - view.from;
  if (view.at < view.from || view.at > view.to) range(view.at - width / 2, view.at + width / 2);
  element("at").value = view.at;
  const list = document.createElement("ul");
  for (const [text, matters] of model.tell(view.at)) {
    const item = list.appendChild(document.createElement("li"));
    item.textContent = text;
    if (matters) item.className = "matters";
  }
  const head = document.createElement("p");
  head.textContent = `at ${number(view.at)}`;
  element("said").replaceChildren(head, list);
  nearby();
  remember();
  show();
}

// The events around the moment, as a table.
function nearby() {
  const next = firstFrom(model.events, view.at + 1, one => one.time);
  const first = Math.max(next - ROWS, 0), rows = model.events.slice(first, next + ROWS);
  const cells = one => [number(one.time), `pcpu ${one.pcpu}`, model.name(one.lane), KINDS[one.kind],
    model.word(one.text), model.word(one.place)];
  element("nearby").replaceChildren(...rows.map((one, index) => {
    const row = document.createElement("tr");
    if (first + index === next - 1) row.className = "now";
    row.append(...cells(one).map((text, column) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      if (column === 0) cell.className = "n";
      return cell;
    }));
    return row;
  }));
}

function range(from, to) {
  const least = Math.min(NEAREST, model.until || 1);
  const width = Math.min(Math.max(to - from, least), Math.max(model.until, 1));
  view.from = Math.min(Math.max(from, 0), Math.max(model.until, 1) - width);
  view.to = view.from + width;
}

function zoom(factor, around = view.at) {
  range(around - (around - view.from) * factor, around + (view.to - around) * factor);
  remember();
  show();
}

// The next event of a shown kind behind the moment, or the one before it.
function step(forward) {
  const { events } = model, { shown } = drawing;
  let index = forward
    ? firstFrom(events, view.at + 1, one => one.time)
    : firstFrom(events, view.at, one => one.time) - 1;
  while (events[index] && !shown.has(events[index].kind)) index += forward ? 1 : -1;
  if (events[index]) choose(events[index].time);
}

// The next interrupt that came late or lock without a pCPU, or the one before.
function stepDelay(forward) {
  const there = model.delays.filter(time => (forward ? time > view.at : time < view.at));
  const time = forward ? there[0] : there[there.length - 1];
  if (time === undefined) element("range").textContent = `no delay ${forward ? "behind" : "before"} this moment`;
  else choose(time);
}

const width = () => view.to - view.from;
const KEYS = {
  ArrowRight: () => step(true),
  ArrowLeft: () => step(false),
  PageDown: () => choose(view.at + width() / 4),
  PageUp: () => choose(view.at - width() / 4),
  Home: () => choose(0),
  End: () => choose(model.until),
  "+": () => zoom(1 / 2),
  "=": () => zoom(1 / 2),
  "-": () => zoom(2),
  0: () => zoom(1e15),
  n: () => stepDelay(true),
  p: () => stepDelay(false),
};
// These turn the pages of a page, unless it is the picture that they are meant for.
const TURN = ["PageDown", "PageUp", "Home", "End"];

document.addEventListener("keydown", event => {
  tip.hidden = true;
  const act = !event.ctrlKey && !event.metaKey && !event.altKey && KEYS[event.key];
  if (!act || event.target.type === "number") return;
  if (TURN.includes(event.key) && event.target !== canvas) return;
  event.preventDefault();
  act();
});

for (const button of document.querySelectorAll("button[data-key]"))
  button.addEventListener("click", () => KEYS[button.dataset.key]());
for (const button of document.querySelectorAll("button[data-at]"))
  button.addEventListener("click", () => {
    const at = Number(button.dataset.at), around = Number(button.dataset.around);
    range(at - around, at + around);
    choose(at);
    canvas.scrollIntoView({ block: "nearest" });
  });
for (const box of document.querySelectorAll("input[data-kind]"))
  box.addEventListener("change", () => {
    const kind = Number(box.dataset.kind);
    if (box.checked) drawing.shown.add(kind); else drawing.shown.delete(kind);
    show();
  });
element("at").addEventListener("change", event => choose(Number(event.target.value)));

// Fingers and mice: one drags, two pinch, a click chooses.
const pointers = new Map();
let moved = 0;

canvas.addEventListener("pointerdown", event => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event.offsetX);
  moved = 0;
});
canvas.addEventListener("pointermove", event => {
  if (!pointers.has(event.pointerId)) return hover(event);
  const before = [...pointers.values()];
  moved += Math.abs(event.offsetX - pointers.get(event.pointerId));
  pointers.set(event.pointerId, event.offsetX);
  const after = [...pointers.values()];
  tip.hidden = true;
  if (after.length === 2) {
    const apart = list => Math.max(Math.abs(list[0] - list[1]), 10);
    zoom(apart(before) / apart(after), drawing.time((after[0] + after[1]) / 2));
  } else if (moved > 4) {
    const shift = (before[0] - after[0]) / drawing.scale;
    range(view.from + shift, view.to + shift);
    show();
  }
});
for (const end of ["pointerup", "pointercancel"])
  canvas.addEventListener(end, event => {
    const was = pointers.delete(event.pointerId);
    if (end === "pointerup" && was && moved <= 4) choose(drawing.time(event.offsetX));
  });
canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
canvas.addEventListener("wheel", event => {
  if (!event.ctrlKey && Math.abs(event.deltaY) < Math.abs(event.deltaX)) return;
  event.preventDefault();
  zoom(event.deltaY > 0 ? 1.25 : .8, drawing.time(event.offsetX));
}, { passive: false });

// What is under the pointer.
function hover(event) {
  const text = under(event.offsetX, event.offsetY);
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8)}px`;
}

function under(x, y) {
  const row = drawing.rowAt(y), time = Math.floor(drawing.time(x));
  if (!row || x < drawing.left) return "";
  if (row.kind === "pcpu") return model.tellPcpu(row.index, time)[0];
  if (row.kind === "marks") {
    const near = 4 / drawing.scale, events = model.eventsByPcpu[row.index];
    const first = firstFrom(events, time - near, one => one.time);
    const last = firstFrom(events, time + near + 1, one => one.time);
    const all = events.slice(first, last).filter(one => drawing.shown.has(one.kind));
    const lines = all.slice(0, 6).map(one =>
      `${number(one.time)} ${KINDS[one.kind]}: ${model.word(one.text)} ${model.word(one.place)}`);
    if (all.length > 6) lines.push(`and ${number(all.length - 6)} more`);
    return lines.join("\n");
  }
  const lines = [], span = model.spanAt(model.byLane[row.index], time);
  if (span) lines.push(span.state === RUNNING
    ? model.tellPcpu(span.pcpu, time)[0]
    : model.tellLane(row.index, span, time)[0]);
  const near = 4 / drawing.scale;
  for (const one of model.interrupts)
    if (one.lane === row.index && one.due - near <= time && time <= Math.max(one.delivered, one.due) + near)
      lines.push(model.word(one.words));
  return lines.slice(0, 5).join("\n");
}

// The address names what is shown, so that it can be sent to somebody.
function remember() {
  const all = view.from === 0 && view.to === Math.max(model.until, 1);
  const part = all ? "" : `&from=${Math.round(view.from)}&to=${Math.round(view.to)}`;
  try { history.replaceState(null, "", `#at=${view.at}${part}`); } catch { /* some browsers keep file pages as they are */ }
}

function follow() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const value = (name, usual) => (asked.has(name) && isFinite(asked.get(name)) ? Number(asked.get(name)) : usual);
  range(value("from", 0), value("to", Math.max(model.until, 1)));
  choose(value("at", model.firstMoment()));
  for (const key of (asked.get("keys") || "").split(",").filter(Boolean))
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true, bubbles: true }));
}

window.addEventListener("hashchange", follow);
window.addEventListener("resize", show);
for (const [when, on] of [["beforeprint", true], ["afterprint", false]])
  window.addEventListener(when, () => {
    document.documentElement.classList.toggle("on-paper", on);
    show();
  });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
follow();
document.body.dataset.ready = "yes";
