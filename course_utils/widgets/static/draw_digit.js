// Draw a digit: a pad, and what Python's network reads in the drawing. Strokes are lists of points [x, y] in units of
// the pad's side; draw_digit.py turns them into pixels, so that what is drawn here is only what the hand needs to see.

const PAD = 280; // CSS pixels of the pad's side, where there is room
const SHARP = 2; // canvas pixels for a CSS pixel
const APART = 0.008; // of the pad's side: nearer points of a stroke are left out
const LIVE = 150; // milliseconds between two questions while the pen is down
const STEP = 0.1; // of the pad's side: how far an arrow key moves the pen
const MOVES = {
  ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0],
  Home: [-1, -1], PageUp: [1, -1], End: [-1, 1], PageDown: [1, 1], // as on a keypad
};
const HELP = "Draw with a mouse, a pen or a finger. With the keyboard: arrow keys move the pen (Home, End, Page Up, "
  + "Page Down: aslant), Space puts it down and lifts it, Backspace takes the last stroke back, Delete clears.";
const EXPLAINED = "As drawn: the whole pad scaled to 28×28 pixels. MNIST's way: the ink alone, scaled until its longer "
  + "side has 20 pixels, then moved until its centre of mass lies on the middle of 28×28.";
const WAYS = [
  { way: "drawn", title: "As drawn" },
  { way: "mnist", title: "MNIST's way" },
];

function round4(value) {
  return Math.round(value * 1e4) / 1e4;
}

/** Rows of 0..1 from bytes that came from Python. */
function rowsOf(view, height, width) {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return Array.from({ length: height }, (_, row) =>
    Array.from(bytes.subarray(row * width, (row + 1) * width), (level) => level / 255));
}

/** The canvas one draws on. Returns { element, paint({ strokes, image, cursor, penDown, penWidth }), place(event) }. */
function drawingPad(helpId) {
  const canvas = make("canvas", { width: PAD * SHARP, height: PAD * SHARP, "aria-hidden": "true" });
  const element = make("div", {
    class: "pixel-map pad", role: "application", tabindex: "0", "aria-label": "Pad to draw a digit on",
    "aria-roledescription": "drawing pad", "aria-describedby": helpId, style: { "--size": `${PAD}px` },
    data: { testid: "pad", lmSuppressShortcuts: "true" }, // or JupyterLab would take the arrow keys
  }, canvas);
  const context = canvas.getContext("2d");

  function line(points, penWidth) {
    const path = points.length > 1 ? points : [points[0], points[0]]; // a dot is a line of no length with round ends
    context.lineWidth = penWidth * canvas.width;
    context.beginPath();
    path.forEach(([x, y], index) => context[index ? "lineTo" : "moveTo"](x * canvas.width, y * canvas.height));
    context.stroke();
  }

  function picture(rows) {
    const side = canvas.width / rows.length;
    rows.forEach((row, r) => row.forEach((value, c) => {
      context.fillStyle = css(grey(value));
      context.fillRect(c * side, r * side, side + 0.5, side + 0.5);
    }));
  }

  function ring([x, y], penWidth, filled) {
    context.beginPath();
    context.arc(x * canvas.width, y * canvas.height, (penWidth * canvas.width) / 2 + 4, 0, 2 * Math.PI);
    Object.assign(context, { lineWidth: 6, strokeStyle: "#e69f00", fillStyle: "#e69f00" });
    context.stroke();
    if (filled) context.fill();
  }

  function paint({ strokes, image, cursor, penDown, penWidth }) {
    Object.assign(context, { fillStyle: "#000", strokeStyle: "#fff", lineCap: "round", lineJoin: "round" });
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (image) picture(image);
    else for (const stroke of strokes) line(stroke, penWidth);
    if (cursor) ring(cursor, penWidth, penDown);
  }

  /** Where the pointer is, in units of the pad's side; outside of 0..1 off the pad. */
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [round4((event.clientX - box.left) / box.width), round4((event.clientY - box.top) / box.height)];
  }

  return { element, paint, place };
}

/** One of the two pictures that the network gets, and its answer. Returns { element, show(pixels, shares) }. */
function wayPanel({ way, title }) {
  const picture = pixelMap({ label: `${title}: the picture that the network gets`, testid: `picture-${way}`, size: "112px" });
  const reading = make("p", { class: "reading", data: { testid: `reading-${way}` } });
  const bars = digitBars(`${title}: probabilities of the ten digits`, `bars-${way}`);
  const element = make("div", { class: "panel way" }, make("p", { class: "heading" }, title), reading, picture.element, bars.element);

  function show(pixels, shares) {
    picture.draw(pixels ? rowsOf(pixels, 28, 28) : [[0]], grey);
    bars.element.hidden = !shares;
    if (shares) bars.fill(shares);
    const best = shares && shares.indexOf(Math.max(...shares));
    setText(reading, shares ? `reads ${best}, ${Math.round(100 * shares[best])} %` : "nothing to read");
  }
  return { element, show };
}

/** The feature maps after one block, in one picture. */
function mapsPanel({ label, height, width, pixels }, number) {
  const picture = pixelMap({ label, testid: `maps-${number}`, size: "384px" });
  picture.draw(rowsOf(pixels, height, width), grey);
  return make("div", { class: "panel" }, make("p", { class: "heading" }, label), picture.element);
}

export default {
  render({ model, el }) {
    const helpId = uniqueId("help");
    const root = makeRoot({ model, el }, "draw-digit", "Draw a digit", stop);
    let stroke = null, earlier = []; // the stroke being drawn, and those before it
    let pointer = null; // by which pointer it is drawn; null is the keyboard
    let cursor = [0.5, 0.5], cursorSeen = false, lost = false;
    let asked = model.get("asked"), askedAt = 0, liveAt = 0, waiting = null;

    const pad = drawingPad(helpId);
    const undo = make("button", { type: "button", data: { testid: "undo" }, onclick: takeBack }, "Undo");
    const clear = make("button", { type: "button", data: { testid: "clear" }, onclick: wipe }, "Clear");
    const next = make("button", { type: "button", data: { testid: "next-example" }, onclick: nextExample }, "Next example");
    const penStatus = statusLine("pen-status");
    const status = statusLine("status");
    const answerTime = make("p", { class: "answer-time", data: { testid: "answer-time" } });
    const panels = WAYS.map(wayPanel);
    const maps = make("div", { class: "map-pair", role: "group", "aria-label": "Feature maps of the drawing, MNIST's way", data: { testid: "maps" } });
    next.hidden = !model.get("example_count");
    root.append(
      make("div", { class: "reads" },
        make("div", { class: "panel pad-side" }, make("p", { class: "heading" }, "Draw a digit"), pad.element, make("div", { class: "row" }, undo, clear, next), penStatus),
        ...panels.map((panel) => panel.element)),
      status, maps,
      make("p", { id: helpId }, HELP),
      make("p", {}, EXPLAINED), answerTime);

    // What is drawn -----------------------------------------------------------------------------------------------

    const strokes = () => (model.get("example") === null ? model.get("value") : []);

    function paint() {
      const answer = model.get("answer");
      const isExample = model.get("example") !== null && !stroke;
      pad.paint({
        strokes: stroke ? [...earlier, stroke] : strokes(),
        image: isExample && answer.pictures ? rowsOf(answer.pictures.drawn, 28, 28) : null,
        cursor: cursorSeen ? cursor : null,
        penDown: stroke !== null && pointer === null,
        penWidth: model.get("pen_width"),
      });
    }

    function start(point) {
      earlier = strokes();
      stroke = [point];
      liveAt = performance.now();
      setText(status, ""); // it says what was read when the pen was lifted
      paint();
    }

    function extend(points) {
      for (const point of points) {
        const [x, y] = stroke.at(-1);
        if (Math.hypot(point[0] - x, point[1] - y) >= APART) stroke.push(point);
      }
      paint();
      // While the pen is down too, but never a second question before the first is answered.
      if (performance.now() - liveAt < LIVE || model.get("answer").to < asked) return;
      liveAt = performance.now();
      ask({ value: [...earlier, stroke.slice()], example: null }, false);
    }

    /** The pen is lifted, and the stroke kept or not. */
    function lift(kept = true) {
      const value = kept ? [...earlier, stroke] : earlier;
      stroke = pointer = null;
      ask({ value, example: null });
      paint();
    }

    // What is asked, and answered ---------------------------------------------------------------------------------

    function ask(traits, final = true) {
      asked = Math.max(asked, model.get("asked")) + 1; // another view may have asked too
      askedAt = performance.now();
      save(model, { ...traits, asked });
      clearTimeout(waiting);
      if (final) waiting = setTimeout(() => setText(status, "Waiting for the kernel, which is busy."), 1000);
    }

    function showAnswer() {
      const answer = model.get("answer");
      panels.forEach((panel, index) => {
        const way = WAYS[index].way;
        panel.show(answer.pictures?.[way], answer.probabilities?.[way]);
      });
      maps.replaceChildren(...(answer.maps ?? []).map((layer, index) => mapsPanel(layer, index + 1)));
      root.dataset.state = answer.state;
      if (answer.to >= asked && !stroke) {
        clearTimeout(waiting);
        setText(status, answer.text);
        if (askedAt && answer.to === asked) setText(answerTime, `Answered ${Math.round(performance.now() - askedAt)} ms after the question.`);
      }
      paint();
    }

    function takeBack() {
      ask(model.get("example") === null ? { value: model.get("value").slice(0, -1) } : { example: null });
      paint();
    }

    function wipe() {
      stroke = null;
      ask({ value: [], example: null });
      paint();
    }

    function nextExample() {
      const example = model.get("example");
      ask({ example: example === null ? 0 : (example + 1) % model.get("example_count") });
    }

    // Mouse, pen, finger ------------------------------------------------------------------------------------------

    pad.element.addEventListener("pointerdown", (event) => {
      if (lost || pointer !== null || event.button !== 0) return;
      if (stroke) lift();
      event.preventDefault(); // no selecting, no dragging
      pad.element.focus({ preventScroll: true, focusVisible: false });
      pad.element.setPointerCapture(event.pointerId);
      cursorSeen = false;
      pointer = event.pointerId;
      start(pad.place(event));
    });
    pad.element.addEventListener("pointermove", (event) => {
      if (!stroke || event.pointerId !== pointer) return;
      extend([...(event.getCoalescedEvents?.() ?? []), event].map(pad.place));
    });
    for (const name of ["pointerup", "pointercancel"]) {
      pad.element.addEventListener(name, (event) => {
        if (stroke && event.pointerId === pointer) lift();
      });
    }

    // Keyboard ----------------------------------------------------------------------------------------------------

    function tellPen() {
      const [column, row] = cursor.map((share) => Math.round(share / STEP) + 1);
      setText(penStatus, `Pen ${stroke ? "down" : "up"} at column ${column}, row ${row} of 11.`);
    }

    function keyPen() {
      if (stroke) lift();
      else start([...cursor]);
    }

    function keyMove([dx, dy]) {
      cursor = [dx, dy].map((step, axis) => round4(clamp(Math.round(cursor[axis] / STEP + step) * STEP, 0, 1)));
      if (stroke) extend([[...cursor]]);
    }

    pad.element.addEventListener("keydown", (event) => {
      if (lost || pointer !== null || event.ctrlKey || event.altKey || event.metaKey) return;
      const action = {
        " ": keyPen, Escape: () => stroke && lift(), Backspace: () => (stroke ? lift(false) : takeBack()), Delete: wipe,
      }[event.key] ?? (MOVES[event.key] && (() => keyMove(MOVES[event.key])));
      if (!action) return;
      event.preventDefault();
      event.stopPropagation();
      cursorSeen = true;
      action();
      tellPen();
      paint();
    });
    pad.element.addEventListener("focus", () => {
      cursorSeen = pad.element.matches(":focus-visible") && pointer === null;
      if (cursorSeen) tellPen();
      paint();
    });
    pad.element.addEventListener("blur", () => {
      if (stroke && pointer === null) lift();
      cursorSeen = false;
      setText(penStatus, "");
      paint();
    });

    // -------------------------------------------------------------------------------------------------------------

    function stop() {
      lost = true;
      pad.element.setAttribute("aria-disabled", "true");
      for (const button of [undo, clear, next]) button.disabled = true;
    }

    model.on("change:answer", showAnswer);
    model.on("change:value change:example", paint);
    showAnswer();
    setText(status, model.get("answer").text);
  },
};
