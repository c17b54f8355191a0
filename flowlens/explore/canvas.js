// A time line, or bars, on a canvas. The kernel says what to draw (`drawn`, made in canvas.py); the page draws it, and
// says what is marked (`marks`: a running number, edges of bins or keys of bars, whether the mark is settled).

const FONT = "12px system-ui, sans-serif";
// Read on light and on dark pages, as INK in flowlens.plot.colours.
const INK = "#777777", GHOST = "#999999", SHADE = "rgba(119, 119, 119, 0.28)", EDGE = "#D55E00";
// Pixels: the height of a canvas, and around what is drawn; how near to an edge of the mark is at it.
const KINDS = {
  time: { height: 200, left: 64, right: 24, top: 26, bottom: 24 },
  bars: { height: 230, left: 190, right: 70, top: 26, bottom: 4 },
};
const NEAR = 6;
// Places for bars: as many as `BarsData.most` in flowlens.plot.contents.
const BARS = 10;
const HELP = {
  time: "Left and Right move what is marked, with Shift its end; Home and End go to the ends; Escape takes the mark away.",
  bars: "Up and Down go to a bar, Space marks it; Escape takes all marks away.",
};

const between = (low, value, high) => Math.min(Math.max(value, low), high);
const same = (one, other) => one.length === other.length && one.every((value, place) => value === other[place]);

// --- Drawing ---
function hatched(context, { colour, hatch }) {
  const tile = new OffscreenCanvas(8, 8), pen = tile.getContext("2d");
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = pen.fillStyle = "white";
  pen.beginPath();
  if (hatch === "/" || hatch === "x") { pen.moveTo(-1, 9); pen.lineTo(9, -1); }
  if (hatch === "\\" || hatch === "x") { pen.moveTo(-1, -1); pen.lineTo(9, 9); }
  if (hatch === "+") { pen.moveTo(4, 0); pen.lineTo(4, 8); pen.moveTo(0, 4); pen.lineTo(8, 4); }
  pen.stroke();
  if (hatch === ".") pen.fillRect(3, 3, 2, 2);
  return context.createPattern(tile, "repeat");
}

function shortened(context, text, room) {
  // Leave out the middle: both ends of an address or id tell more.
  let half = Math.ceil(text.length / 2), short = text;
  while (half > 1 && context.measureText(short).width > room) {
    half -= 1;
    short = `${text.slice(0, half)}…${text.slice(-half)}`;
  }
  return short;
}

function steps(context, box, floor, parts) {
  // One path around what stands between two lines of steps.
  const wide = box.width / parts.length, x = place => box.left + place * wide, y = part => box.bottom - part * box.height;
  context.beginPath();
  context.moveTo(x(0), y(floor[0]));
  parts.forEach((part, place) => { context.lineTo(x(place), y(part)); context.lineTo(x(place + 1), y(part)); });
  for (let place = parts.length - 1; place >= 0; place -= 1) {
    context.lineTo(x(place + 1), y(floor[place]));
    context.lineTo(x(place), y(floor[place]));
  }
}

function drawTime(context, { box, drawn, mark }) {
  let floor = new Array(drawn.bins).fill(0);
  for (const series of drawn.series) {
    const upper = floor.map((part, place) => part + series.parts[place]);
    steps(context, box, floor, upper);
    context.fillStyle = hatched(context, series);
    context.fill();
    floor = upper;
  }
  if (drawn.ghost) {
    steps(context, box, new Array(drawn.bins).fill(0), drawn.ghost);
    context.strokeStyle = GHOST;
    context.stroke();
  }
  context.fillStyle = INK;
  context.textBaseline = "top";
  for (const [part, text] of drawn.ticks) {
    context.textAlign = part < 0.02 ? "left" : part > 0.95 ? "right" : "center";
    context.fillText(text, box.left + part * box.width, box.bottom + 6);
  }
  context.fillRect(box.left, box.bottom, box.width, 1);
  context.textAlign = "right";
  context.fillText(drawn.top, box.left - 6, box.top);
  if (drawn.named) legend(context, box, drawn.series);
  if (!mark.length) return;
  const [begin, end] = mark.map(place => box.left + (place / drawn.bins) * box.width);
  context.fillStyle = SHADE;
  context.fillRect(box.left, box.top, begin - box.left, box.height);
  context.fillRect(end, box.top, box.left + box.width - end, box.height);
  context.fillStyle = EDGE;
  for (const x of [begin, end]) context.fillRect(x - 1, box.top, 2, box.height);
}

function legend(context, box, series) {
  let right = box.left + box.width;
  for (const one of [...series].reverse()) {
    context.fillStyle = INK;
    context.fillText(one.name, right, 6);
    right -= context.measureText(one.name).width + 20;
    context.fillStyle = hatched(context, one);
    context.fillRect(right, 6, 16, 11);
    right -= 12;
  }
}

function drawBars(context, { box, drawn, mark, cursor }) {
  const tall = box.height / BARS;
  context.textBaseline = "middle";
  drawn.names.forEach((name, place) => {
    const y = box.top + place * tall, middle = y + tall / 2, marked = mark.includes(drawn.keys[place]);
    context.font = marked ? `bold ${FONT}` : FONT;
    context.globalAlpha = marked || !mark.length ? 1 : 0.35;
    context.fillStyle = drawn.colour;
    context.fillRect(box.left, y + tall * 0.14, drawn.parts[place] * box.width, tall * 0.72);
    context.globalAlpha = 1;
    context.strokeStyle = GHOST;
    const ghost = drawn.ghosts[place] * box.width, end = Math.max(drawn.parts[place] * box.width, ghost);
    if (ghost) context.strokeRect(box.left, y + tall * 0.07, ghost, tall * 0.86);
    context.fillStyle = INK;
    context.textAlign = "right";
    context.fillText(shortened(context, name, box.left - 12), box.left - 6, middle);
    context.textAlign = "left";
    context.fillText(drawn.amounts[place], box.left + end + 6, middle);
    context.strokeStyle = EDGE;
    if (place === cursor) context.strokeRect(1, y + 0.5, box.left + box.width + box.right - 2, tall - 1);
  });
}

// --- Marking ---
function markTime(view, send) {
  // Where it is pressed: at an edge of the mark to move that, within it to move all of it, else to begin a new one.
  const { canvas } = view;
  const place = event => ((event.offsetX - view.box.left) / view.box.width) * view.drawn.bins;
  const edge = event => between(0, Math.round(place(event)), view.drawn.bins);
  const ordered = (first, last) => [Math.min(first, last), Math.max(first, last)];
  const moved = ([first, last], by) => [first, last].map(edge => edge + between(-first, by, view.drawn.bins - last));
  canvas.addEventListener("pointerdown", event => {
    if (event.button || !event.isPrimary) return;
    const [first, last] = view.mark, near = NEAR * (view.drawn.bins / view.box.width), at = place(event);
    const distance = Math.min(Math.abs(at - first), Math.abs(at - last)); // not a number, and so far, without a mark
    if (distance <= near) view.held = { from: Math.abs(at - first) < Math.abs(at - last) ? last : first, edge: true };
    else if (first < at && at < last) view.held = { at: edge(event), mark: view.mark };
    else view.held = { from: edge(event) };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => {
    const { held } = view;
    if (!held) return;
    const mark = held.mark ? moved(held.mark, edge(event) - held.at) : ordered(held.from, edge(event));
    if (mark[0] === mark[1] || same(mark, view.mark)) return;
    held.moved = true;
    send(mark, false);
  });
  const let_go = () => {
    if (!view.held) return;
    const { moved, edge } = view.held;
    view.held = null;
    if (moved) send(view.mark, true);
    else if (!edge) send([], true); // a click
  };
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(kind, let_go);
  return ({ key, shiftKey }) => {
    const { bins } = view.drawn, [first, last] = view.mark.length ? view.mark : [0, bins];
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -bins, End: bins }[key];
    if (key === "Escape") send([], true);
    else if (step === undefined) return false;
    else if (shiftKey) send([first, between(first + 1, last + step, bins)], false);
    else if (view.mark.length) send(moved(view.mark, step), false);
    else send(key === "ArrowRight" || key === "Home" ? [0, 1] : [bins - 1, bins], false);
    return true;
  };
}

function markBars(view, send) {
  // In the order in which they are marked: of ports the last one counts.
  const toggle = place => {
    const key = view.drawn.keys[place];
    send(view.mark.includes(key) ? view.mark.filter(one => one !== key) : [...view.mark, key], true);
  };
  view.canvas.addEventListener("click", event => {
    const place = Math.floor(((event.offsetY - view.box.top) / view.box.height) * BARS);
    if (place >= 0 && place < view.drawn.names.length) toggle((view.cursor = place));
  });
  return ({ key, repeat }) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[key];
    if (key === "Escape") send([], true);
    else if (key === " " || key === "Enter") { if (view.cursor >= 0 && !repeat) toggle(view.cursor); }
    else if (step === undefined) return false;
    else view.cursor = between(0, view.cursor + step, view.drawn.names.length - 1);
    return true;
  };
}

function said({ drawn, mark, cursor }) {
  if (drawn.kind === "time") return mark.length ? ` Marked: ${mark[0] + 1} to ${mark[1]} of ${drawn.bins}.` : "";
  return cursor < 0 ? "" : ` ${drawn.names[cursor]}: ${mark.includes(drawn.keys[cursor]) ? "marked" : "not marked"}.`;
}

// --- What anywidget calls ---
function render({ model, el }) {
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  const drawn = model.get("drawn"), { kind } = drawn, { height, ...around } = KINDS[kind];
  const view = { canvas, drawn, mark: drawn.chosen, cursor: -1, held: null, drafted: false, sent: 0 };
  Object.assign(canvas, { tabIndex: 0, className: `flowlens-${kind}` });
  const touchAction = kind === "time" ? "pan-y" : "auto";
  Object.assign(canvas.style, { width: "100%", height: `${height}px`, touchAction, display: "block" });
  for (const [name, value] of [["role", "application"], ["aria-description", HELP[kind]]]) canvas.setAttribute(name, value);
  el.append(canvas);

  const draw = () => {
    const ratio = window.devicePixelRatio || 1, wide = canvas.clientWidth, left = Math.min(around.left, wide * 0.45);
    if (!wide) return;
    Object.assign(canvas, { width: wide * ratio, height: height * ratio });
    context.scale(ratio, ratio);
    Object.assign(context, { font: FONT, fillStyle: INK, textBaseline: "top" });
    const size = { width: Math.max(wide - left - around.right, 1), height: height - around.top - around.bottom };
    view.box = { ...around, ...size, left, bottom: around.top + size.height };
    context.fillText(view.drawn.title, 6, 6);
    if (view.drawn.empty) context.fillText("nothing here", view.box.left + 6, view.box.top + size.height / 2);
    (kind === "time" ? drawTime : drawBars)(context, view);
    canvas.setAttribute("aria-label", view.drawn.said + said(view));
  };
  const send = (mark, settled) => {
    [view.mark, view.drafted] = [mark, !settled];
    model.set("marks", [(view.sent = (model.get("marks")[0] ?? 0) + 1), ...mark, settled]);
    model.save_changes(); // ipywidgets sends the last of what comes while the kernel is at work
    draw();
  };
  const settle = () => { if (view.drafted && !view.held) send(view.mark, true); };
  const press = (kind === "time" ? markTime : markBars)(view, send);
  canvas.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || view.held || !press(event)) return;
    event.preventDefault();
    event.stopPropagation();
    draw();
  });
  for (const kind of ["keyup", "blur"]) canvas.addEventListener(kind, settle);
  const renew = () => {
    view.drawn = model.get("drawn");
    view.cursor = Math.min(view.cursor, (view.drawn.names ?? []).length - 1);
    // An answer to an older mark says nothing about the newest one.
    if (!view.drafted && model.get("answered") >= view.sent) view.mark = view.drawn.chosen;
    draw();
  };
  model.on("change:drawn change:answered", renew);
  const resized = new ResizeObserver(draw);
  resized.observe(canvas);
  return () => { model.off("change:drawn change:answered", renew); resized.disconnect(); };
}

export default { render };
