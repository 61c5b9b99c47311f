// Functions that the interactive parts share. base.py puts this text in front of each part's own module, so nothing
// is exported here, and a part uses these names as if they were its own.

/** An element: make("button", { type: "button", onclick }, "text", child, …). `data: {testid}` becomes data-testid. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "style") for (const [key, part] of Object.entries(value)) element.style.setProperty(key, part);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** An id that no other view has. A counter would repeat: each widget loads this text as a module of its own. */
function uniqueId(prefix) {
  return `${prefix}-${Math.random().toString(36).slice(2)}`;
}

const AGAIN = "choose Run > Run All Above Selected Cell in the menu, then run this cell.";
const RESTARTED = `The kernel was restarted and no longer knows this part. Click here, ${AGAIN}`;
const STOPPED = `The kernel has stopped. Click here, choose Kernel > Restart Kernel…, ${AGAIN}`;

/**
 * The root of one view, already in `el`, with a banner at its top for when the kernel is gone and Python no longer
 * sees what is done here. `onKernelLost(true)` is called then, for parts that can't work without. `view` is what
 * anywidget hands to render.
 *
 * A click anywhere in the part brings the keyboard to it, and as long as it is here, no key is a shortcut of the
 * notebook (0 0 would restart the kernel, d d delete the cell). Shift+Enter goes on to the next cell.
 */
function makeRoot(view, name, title, onKernelLost = () => {}) {
  const { model, el, signal } = view;
  const banner = make("p", { class: "message", role: "status", data: { testid: "kernel-lost" } });
  const label = model.get("description") || title;
  const root = make("div", {
    class: "course-widget", role: "group", "aria-label": label, data: { widget: name, kernel: "live" },
    tabindex: "-1", // what was clicked may take no focus itself
    // The notebook's shortcuts ask the element that has the focus. Where the kernel is lost, they are what mends it.
    onfocusin: ({ target }) => target.toggleAttribute("data-lm-suppress-shortcuts", root.dataset.kernel === "live"),
    onkeydown: (event) => {
      if (root.dataset.kernel === "lost" || event.ctrlKey || event.altKey || event.metaKey) return;
      event.stopPropagation();
      if (event.key === "Enter" && event.shiftKey) goOn(root, event);
    },
  }, banner);
  const lose = (text) => {
    if (root.dataset.kernel === "lost") return; // for good: a new kernel knows nothing of this widget
    root.dataset.kernel = "lost";
    banner.textContent = text;
    onKernelLost(true);
  };
  el.replaceChildren(root);
  // In any front end of Jupyter's: the link to the widget's Python half was live, so that this can only be its end.
  model.on("comm_live_update", () => lose(RESTARTED));
  // JupyterLab and Notebook 7 keep that link where a kernel is shut down, changed, or killed and not started again.
  const kernel = model.widget_manager?.kernel;
  const onStatus = (_, status) => ["terminating", "dead"].includes(status) && lose(STOPPED);
  const onDisposed = () => lose(STOPPED);
  kernel?.statusChanged?.connect(onStatus);
  kernel?.disposed?.connect(onDisposed);
  signal?.addEventListener("abort", () => {
    kernel?.statusChanged?.disconnect(onStatus);
    kernel?.disposed?.disconnect(onDisposed);
  });
  // A view made when it was gone already. Later, once the part has built what onKernelLost may touch.
  if (el.classList.contains("jupyter-widgets-disconnected")) queueMicrotask(() => lose(RESTARTED));
  return root;
}

/** The keyboard goes to the cell after the part's: to run the part's own once more would throw away what was done. */
function goOn(root, event) {
  let next = root.closest(".jp-Cell")?.nextElementSibling;
  while (next && !next.offsetHeight) next = next.nextElementSibling; // under a heading that is collapsed
  if (!next) return;
  event.preventDefault();
  next.focus();
}

/**
 * Bring the keyboard to `target`, once, where the learner has run the cell to have this part: it is the selected cell
 * still, or the one before it, and nobody is typing. Not in a page that is opened again, nor where all cells are run.
 */
function focusWhenRun(model, root, target) {
  if (!model.get("_just_run")) return;
  save(model, { _just_run: false });
  const watch = new ResizeObserver(() => { // it has a size: it is on the page
    watch.disconnect();
    const cell = root.closest(".jp-Cell");
    const selected = root.closest(".jp-Notebook")?.querySelector(".jp-Cell.jp-mod-active");
    const typing = document.activeElement?.closest("input, textarea, select, [contenteditable=true]");
    if (cell && !typing && (selected === cell || selected === cell.nextElementSibling)) target.focus();
  });
  watch.observe(root);
}

/**
 * Set traits: other views of the same model see them at once, the kernel as soon as it can. It is told each time:
 * ipywidgets keeps what comes while the kernel works, and sends the last of it; and only what it was told of does it
 * protect from the kernel's late answer to an older change. Without a kernel the traits stay in the page.
 */
function save(model, traits) {
  for (const [name, value] of Object.entries(traits)) model.set(name, value);
  model.save_changes();
}

/** Call `update` now, and whenever one of the traits changes, here, in another view or in Python. */
function follow(model, traits, update) {
  model.on(traits.map((name) => `change:${name}`).join(" "), update);
  update();
}

/** A line that screen readers read out when it changes. */
function statusLine(testid) {
  return make("p", { class: "status", "aria-live": "polite", data: { testid } });
}

/** Set an element's text, only if it is another: screen readers read a line again when it is set. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A number as people write it: at most `digits` decimals, no -0, a true minus sign. */
function written(value, digits = 2) {
  const rounded = Number(value.toFixed(digits)) || 0;
  return String(rounded).replace("-", "−");
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

// Colours, as [red, green, blue] in 0..255 ---------------------------------------------------------------------------

/** 0 is black, 1 is white: the digits. */
function grey(value) {
  const level = 255 * clamp(value, 0, 1);
  return [level, level, level];
}

// matplotlib's RdBu_r at 11 even steps: the colours of the responses in the figures.
const RED_BLUE = [
  [5, 48, 97], [33, 102, 172], [67, 147, 195], [146, 197, 222], [209, 229, 240], [247, 247, 247],
  [253, 219, 199], [244, 165, 130], [214, 96, 77], [178, 24, 43], [103, 0, 31],
];

/** A colour scale from -limit (blue) over 0 (white) to limit (red). */
function redBlue(limit) {
  return (value) => {
    const place = limit > 0 ? clamp((value / limit + 1) * 5, 0, 10) : 5;
    const low = Math.min(9, Math.floor(place));
    return [0, 1, 2].map((part) => RED_BLUE[low][part] + (place - low) * (RED_BLUE[low + 1][part] - RED_BLUE[low][part]));
  };
}

function css([red, green, blue]) {
  return `rgb(${Math.round(red)} ${Math.round(green)} ${Math.round(blue)})`;
}

/** Black or white, whichever can be read on that colour (relative luminance of WCAG 2). */
function inkOn(colour) {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}

function largest(rows) {
  return rows.reduce((high, row) => row.reduce((top, value) => Math.max(top, Math.abs(value)), high), 0);
}

// Pictures of matrices -----------------------------------------------------------------------------------------------

const STEPS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [-5, 0], PageDown: [5, 0], Home: [0, -Infinity], End: [0, Infinity],
};

/**
 * A picture of a matrix. `label` names it. With `onPick(row, column)` it is a control: the mouse by hovering (or by
 * clicking, with `hover: false`), a finger by touching, the keyboard by arrow keys, Home, End, PageUp and PageDown.
 * With `onStep(rows, columns)` it is a control whose keys step, and whose owner listens to the pointer. `grid` draws
 * lines between the pixels.
 * Returns { element, draw(rows, colour), frames([{ row, column, rows, columns, kind }]), place(row, column) }.
 */
function pixelMap({ label, testid, size = "260px", onPick = null, hover = true, onStep = null, grid = false }) {
  const canvas = make("canvas", { "aria-hidden": "true" });
  const attributes = onPick || onStep
    ? { role: "application", tabindex: "0", "aria-roledescription": "grid of pixels, arrow keys move" }
    : { role: "img" };
  const kind = onPick ? " control" : onStep ? " draggable" : "";
  const element = make("div", { class: `pixel-map${kind}${grid ? " grid" : ""}`, "aria-label": label, data: { testid }, style: { "--size": size }, ...attributes }, canvas);
  let height = 1, width = 1, cursor = [0, 0];

  function draw(rows, colour) {
    height = rows.length;
    width = rows[0].length;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    element.style.aspectRatio = `${width} / ${height}`;
    element.style.setProperty("--rows", height);
    element.style.setProperty("--columns", width);
    const context = canvas.getContext("2d");
    const picture = context.createImageData(width, height);
    rows.forEach((row, r) => row.forEach((value, c) => picture.data.set([...colour(value), 255], 4 * (r * width + c))));
    context.putImageData(picture, 0, 0);
  }

  function frames(list) {
    element.querySelectorAll(".frame").forEach((frame) => frame.remove());
    for (const { row, column, rows = 1, columns = 1, kind: look = "" } of list) {
      const percent = (value, of) => `${(100 * value) / of}%`;
      element.append(make("div", { class: `frame ${look}`, style: {
        top: percent(row, height), left: percent(column, width), height: percent(rows, height), width: percent(columns, width),
      } }));
    }
  }

  /** Where the arrow keys start from. */
  function place(row, column) {
    cursor = [row, column];
  }

  function pick(row, column) {
    place(clamp(row, 0, height - 1), clamp(column, 0, width - 1));
    onPick(...cursor);
  }

  function pickUnder(event) {
    const box = canvas.getBoundingClientRect();
    const share = (distance, length, count) => Math.floor((distance / length) * count);
    pick(share(event.clientY - box.top, box.height, height), share(event.clientX - box.left, box.width, width));
  }

  if (onPick) {
    element.addEventListener("pointerdown", pickUnder);
    element.addEventListener("pointermove", (event) => {
      if (hover && event.pointerType === "mouse") pickUnder(event);
    });
  }
  if (onPick || onStep) {
    element.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation(); // JupyterLab would scroll, or select another cell
      if (onStep) onStep(...step);
      else pick(cursor[0] + step[0], cursor[1] + step[1]);
    });
  }
  return { element, draw, frames, place };
}

/** A table of numbers on their colours; `label` names it. Returns { element, fill(rows, colour, digits) }. */
function numberTable(label, testid) {
  const body = make("tbody");
  const element = make("table", { class: "numbers", "aria-label": label, data: { testid } }, body);
  function fill(rows, colour, digits = 2) {
    body.replaceChildren(...rows.map((row) => make("tr", {}, ...row.map((value) => {
      const background = colour(value);
      return make("td", { style: { background: css(background), color: inkOn(background) } }, written(value, digits));
    }))));
  }
  return { element, fill };
}

/** Bars for the ten digits. Returns { element, fill(probabilities) }. */
function digitBars(label, testid) {
  const element = make("ul", { class: "bars", "aria-label": label, data: { testid } });
  function fill(probabilities) {
    const best = probabilities.indexOf(Math.max(...probabilities));
    element.replaceChildren(...probabilities.map((share, digit) => make("li", { class: digit === best ? "best" : "" },
      make("span", {}, String(digit)),
      make("span", { class: "track", "aria-hidden": "true" }, make("div", { class: "bar", style: { width: `${100 * share}%` } })),
      make("span", {}, `${Math.round(100 * share)} %`))));
  }
  return { element, fill };
}

/**
 * One tab stop for a grid of inputs or buttons: arrow keys move between them. `cells` are rows of elements.
 * Left and right move out of a text field only when its caret stands at that end, or all of it is selected.
 */
function rovingFocus(cells) {
  const flat = cells.flat();
  flat.forEach((cell, index) => cell.setAttribute("tabindex", index ? "-1" : "0"));
  cells.forEach((row, r) => row.forEach((cell, c) => {
    cell.addEventListener("focus", () => {
      flat.forEach((other) => other.setAttribute("tabindex", other === cell ? "0" : "-1"));
      cell.select?.();
    });
    cell.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
      const atStart = cell.selectionStart === 0, atEnd = cell.selectionEnd === cell.value?.length;
      if (cell.select && ((step[1] < 0 && !atStart) || (step[1] > 0 && !atEnd))) return;
      const target = cells[r + step[0]]?.[c + step[1]];
      event.stopPropagation();
      if (!target) return;
      event.preventDefault();
      target.focus();
    });
  }));
}

