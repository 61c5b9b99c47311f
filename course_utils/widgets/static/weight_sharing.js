// Weight-sharing view: pick an output; three layers show which weights it uses, and which of them others use too.

const KINDS = {
  dense: "every output joined to every pixel, by weights of its own",
  local: "every output sees its window, by weights of its own",
  shared: "every output sees its window, all by the same weights",
};
const NO_WEIGHT = [255, 255, 255];
const NOT_YET = [217, 217, 217];

/** Which weight stands at each place of the matrix (outputs, pixels), null where none does: weights_of in Python. */
function weightsOf(kind, { height, width, k }) {
  const rows = height - k + 1, columns = width - k + 1;
  return Array.from({ length: rows * columns }, (_, output) => Array.from({ length: height * width }, (_, pixel) => {
    if (kind === "dense") return output * height * width + pixel;
    const r = Math.floor(pixel / width) - Math.floor(output / columns);
    const c = (pixel % width) - (output % columns);
    if (r < 0 || c < 0 || r >= k || c >= k) return null;
    return (kind === "local" ? output * k * k : 0) + r * k + c;
  }));
}

function numbersIn(rows) {
  return new Set(rows.flat().filter((weight) => weight !== null));
}

// Eight colours of viridis, matplotlib's.
const VIRIDIS = [[68, 1, 84], [70, 51, 127], [54, 92, 141], [39, 127, 142], [31, 161, 135], [74, 194, 109], [159, 218, 58], [253, 231, 37]];

/** The colour of a weight: mixed up, as if the weights were random, but the same wherever the weight is used. */
function colourOf(weight) {
  if (weight === null) return NO_WEIGHT;
  const place = ((weight * 0.618034 + 0.1) % 1) * (VIRIDIS.length - 1); // the golden section spreads them evenly
  const low = Math.floor(place);
  return [0, 1, 2].map((part) => VIRIDIS[low][part] + (place - low) * (VIRIDIS[low + 1][part] - VIRIDIS[low][part]));
}

/** One layer: which weights stand on the pixels, its matrix, and the counts in words; `soFar` is put elsewhere. */
function layerPanel(kind) {
  const pixels = make("table", { class: "numbers tight", "aria-label": `Weights of the ${kind} layer on the pixels, by number`, data: { testid: `pixels-${kind}` } });
  const matrix = pixelMap({ label: `Matrix of the ${kind} layer: a row for each output, a column for each pixel`, testid: `matrix-${kind}`, size: "252px" });
  const counts = make("p", { data: { testid: `counts-${kind}` } });
  const soFar = make("li", { data: { testid: `so-far-${kind}` } });
  const element = make("div", { class: "panel layer" },
    make("p", { class: "heading" }, kind), make("p", {}, KINDS[kind]), pixels, counts, matrix.element);

  function show(weights, sizes, visited) {
    const { width, columns } = sizes;
    const index = ([row, column]) => row * columns + column;
    const current = index(visited.at(-1));
    const used = numbersIn([weights[current]]);
    const elsewhere = numbersIn(weights.filter((_, output) => output !== current));
    const common = [...used].filter((weight) => elsewhere.has(weight)).length;
    const all = numbersIn(weights).size;
    pixels.replaceChildren(make("tbody", {}, ...Array.from({ length: sizes.height }, (_, row) => make("tr", {},
      ...weights[current].slice(row * width, (row + 1) * width).map((weight) => {
        const background = colourOf(weight);
        return make("td", { class: elsewhere.has(weight) ? "common" : "", style: { background: css(background), color: inkOn(background) } },
          weight === null ? "" : String(weight));
      })))));
    const seen = new Set(visited.map(index));
    matrix.draw(weights.map((row, output) => row.map((weight) => (weight !== null && !seen.has(output) ? NOT_YET : colourOf(weight)))), (shade) => shade);
    matrix.frames([{ row: current, column: 0, rows: 1, columns: weights[0].length }]);
    const plural = (count) => `${count} weight${count === 1 ? "" : "s"}`;
    setText(counts, `This output uses ${plural(used.size)}; ${common} of them ${common === 1 ? "is" : "are"} used by other outputs too.`);
    const outputs = `${seen.size} output${seen.size === 1 ? "" : "s"}`;
    setText(soFar, `${kind}: ${outputs}, ${numbersIn([...seen].map((output) => weights[output])).size} of ${plural(all)} used`);
  }
  return { element, soFar, show };
}

export default {
  render(view) {
    const { model } = view;
    const root = makeRoot(view, "weight-sharing", "Weight sharing: dense, local and shared weights of one output");
    const output = pixelMap({
      label: "The output. Click, or use the arrow keys, to pick a pixel", testid: "output", size: "150px", hover: false, grid: true,
      onPick: visit,
    });
    const status = statusLine("status");
    const restart = make("button", { type: "button", data: { testid: "restart" }, onclick: () => save(model, { visited: model.get("visited").slice(-1) }) },
      "Count from here again");
    const layers = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, layerPanel(kind)]));
    const matrices = make("div", { class: "layers" }, ...Object.values(layers).map((layer) => layer.element));
    root.append(
      make("div", { class: "row middle" },
        make("div", { class: "panel" }, make("p", { class: "heading" }, "Click the output's pixels"), output.element),
        make("div", { class: "panel aside" }, status,
          make("ul", { class: "so-far" }, ...Object.values(layers).map((layer) => layer.soFar)), restart)),
      make("p", {}, "The number in a cell says which weight stands there, not how large it is: the same number is the same "
        + "weight. In bold and underlined: other outputs use it too."),
      matrices);

    function visit(row, column) {
      const others = model.get("visited").filter(([r, c]) => r !== row || c !== column);
      save(model, { visited: [...others, [row, column]] });
    }

    function update() {
      const [height, width, k] = ["height", "width", "kernel_size"].map((name) => model.get(name));
      const rows = height - k + 1, columns = width - k + 1;
      const visited = model.get("visited");
      const [row, column] = visited.at(-1);
      const seen = new Set(visited.map(String));
      output.draw(Array.from({ length: rows }, (_, r) => Array.from({ length: columns }, (_, c) => seen.has(String([r, c])))),
        (done) => (done ? [86, 180, 233] : NO_WEIGHT));
      output.place(row, column);
      matrices.style.setProperty("--columns", width);
      output.frames([{ row, column, kind: "cursor" }]);
      for (const [kind, layer] of Object.entries(layers)) {
        layer.show(weightsOf(kind, { height, width, k }), { height, width, columns }, visited);
      }
      setText(status, `Output row ${row}, column ${column} (counted from 0) of ${rows} by ${columns}; ${seen.size} of ${rows * columns} visited.`);
    }

    follow(model, ["visited", "height", "width", "kernel_size"], update);
  },
};
