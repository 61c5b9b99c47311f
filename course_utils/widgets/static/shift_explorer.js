// Shift explorer: a digit that can be dragged over its frame; predictions and feature maps come from tables that
// Python has computed for every place, so nothing here waits for the kernel.

/** The image moved by dx to the right and dy down, black coming in. */
function moved(image, dx, dy) {
  return image.map((row, r) => row.map((_, c) => image[r - dy]?.[c - dx] ?? 0));
}

function inkIn(rows) {
  return rows.flat().filter((value) => value > 0).length;
}

/** One network's answer and its feature maps. */
function networkPanel(name, stages) {
  const answer = make("p", { class: "heading", data: { testid: "prediction", network: name } });
  const bars = digitBars(`Probabilities of ${name}`, "bars");
  const drawn = stages.map((stage) => {
    const [, , count, height] = stage.shape;
    const size = height === 1 ? "28px" : "78px";
    const maps = Array.from({ length: count }, (_, index) => pixelMap({ label: `${name}, ${stage.title}, map ${index + 1}`, testid: "feature-map", size }));
    return { stage, maps, element: make("div", { class: "stage" }, make("p", {}, stage.title), make("div", { class: "maps" }, ...maps.map((map) => map.element))) };
  });
  const element = make("div", { class: "panel network", role: "group", "aria-label": name },
    make("p", { class: "heading" }, name), answer, bars.element, ...drawn.map((one) => one.element));

  function show(probabilities, label, bytes, offset) {
    const best = probabilities.indexOf(Math.max(...probabilities));
    const judged = label === null ? "" : best === label ? ", right" : ", wrong";
    setText(answer, `says ${best} (${Math.round(100 * probabilities[best])} %)${judged}`);
    answer.dataset.judged = judged.slice(2);
    bars.fill(probabilities);
    for (const { stage, maps } of drawn) {
      const [, , count, height, width] = stage.shape;
      maps.forEach((map, index) => {
        const start = stage.start + (offset * count + index) * height * width;
        map.draw(Array.from({ length: height }, (_, r) => [...bytes.subarray(start + r * width, start + (r + 1) * width)]), (value) => grey(value / 255));
      });
    }
  }
  return { element, show, says: () => `${name} ${answer.textContent}.` };
}

/** Drag with the mouse or a finger: `onMove(columns, rows)` gets whole pixels since the drag began. */
function dragging(element, count, onStart, onMove) {
  let from = null;
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    from = { x: event.clientX, y: event.clientY };
    onStart();
  });
  element.addEventListener("pointermove", (event) => {
    if (!from) return;
    const pixel = element.getBoundingClientRect().width / count();
    onMove(Math.round((event.clientX - from.x) / pixel), Math.round((event.clientY - from.y) / pixel));
  });
  for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => (from = null));
}

export default {
  render(view) {
    const { model } = view;
    const root = makeRoot(view, "shift-explorer", "Shift explorer: move the digit");
    const digit = pixelMap({ label: "The digit. Drag it, or move it with the arrow keys", testid: "digit", size: "252px",
      onStep: (rows, columns) => move(model.get("dx") + columns, model.get("dy") + rows) });
    const place = make("p", { data: { testid: "offset" } });
    const summary = statusLine("summary"); // the same and all answers in one sentence, for those who hear it
    summary.classList.add("sr-only");
    const home = make("button", { type: "button", data: { testid: "home" }, onclick: () => move(0, 0) }, "Back to the middle");
    const networks = make("div", { class: "row networks" });
    root.append(make("div", { class: "row" },
      make("div", { class: "panel side" }, make("p", { class: "heading" }, "Drag the digit"), digit.element, place, home), networks), summary);
    let panels = [], table, bytes, start = [0, 0];

    function move(dx, dy) {
      const reach = model.get("reach");
      save(model, { dx: clamp(dx, -reach, reach), dy: clamp(dy, -reach, reach) });
    }

    dragging(digit.element, () => model.get("image")[0].length,
      () => (start = [model.get("dx"), model.get("dy")]),
      (columns, rows) => move(start[0] + columns, start[1] + rows));
    function build() {
      const [probabilities, maps] = [model.get("_probabilities"), model.get("_maps")];
      table = Float32Array.from({ length: probabilities.byteLength / 4 }, (_, index) => probabilities.getFloat32(4 * index, true));
      bytes = new Uint8Array(maps.buffer, maps.byteOffset, maps.byteLength);
      panels = model.get("names").map((name, index) => networkPanel(name, model.get("_stages")[index]));
      networks.replaceChildren(...panels.map((panel) => panel.element));
    }

    function update() {
      const [image, reach, dx, dy] = ["image", "reach", "dx", "dy"].map((name) => model.get(name));
      const side = 2 * reach + 1;
      const now = moved(image, dx, dy);
      digit.draw(now, grey);
      const offset = (dy + reach) * side + dx + reach;
      panels.forEach((panel, index) => {
        const first = (index * side * side + offset) * 10;
        panel.show([...table.subarray(first, first + 10)], model.get("label"), bytes, offset);
      });
      const across = dx === 0 ? "" : `${Math.abs(dx)} to the ${dx > 0 ? "right" : "left"}`;
      const down = dy === 0 ? "" : `${Math.abs(dy)} ${dy > 0 ? "down" : "up"}`;
      const lost = inkIn(image) - inkIn(now);
      const where = dx || dy ? `Moved by ${[across, down].filter(Boolean).join(", ")} (pixels).` : "In the middle, as it was.";
      setText(place, `${where} ${lost ? `${lost} pixels with ink have left the frame.` : "The digit is whole."}`);
      setText(summary, [where, ...panels.map((panel) => panel.says())].join(" "));
    }

    build();
    follow(model, ["dx", "dy"], update);
  },
};
