// Kernel playground: an image, a kernel whose weights can be typed, and the output, pixel by pixel.
// All arithmetic is done here, so that it answers at once and without a kernel; kernel_playground.py does the same.

const LARGEST_KERNEL = 7;
const LARGEST_WEIGHT = 1000;
const PADDED = [70, 70, 110]; // bluish: zeros that are no pixels of the image
const OWN = "your own";
const HELP = "Slide over the output, tap it or use the arrow keys: each of its pixels is the sum of the products below. "
  + "Type other weights, or choose another kernel.";

/** A weight as typed: 2, -0.5, 0,5 or 1/9. NaN if it is none of these. */
function weightOf(text) {
  const [top, bottom = "1", ...rest] = text.replace(/−/g, "-").replace(/,/g, ".").split("/");
  if (rest.length || !top.trim() || !bottom.trim()) return NaN;
  const value = Number(top) / Number(bottom);
  return Math.abs(value) <= LARGEST_WEIGHT ? value : NaN;
}

/** floor((n + 2p - k) / s) + 1, or 0 where the kernel does not fit. */
function outputSize(size, kernelSize, stride, padding) {
  return Math.max(0, Math.floor((size + 2 * padding - kernelSize) / stride) + 1);
}

function padded(image, padding) {
  const at = (row, column) => image[row]?.[column] ?? null; // null: padding
  return Array.from({ length: image.length + 2 * padding }, (_, row) =>
    Array.from({ length: image[0].length + 2 * padding }, (_, column) => at(row - padding, column - padding)));
}

function windowAt(field, row, column, stride, size) {
  return field.slice(row * stride, row * stride + size).map((line) => line.slice(column * stride, column * stride + size));
}

function multiplied(window, kernel) {
  return window.map((line, row) => line.map((value, column) => (value ?? 0) * kernel[row][column]));
}

function total(rows) {
  return rows.flat().reduce((sum, value) => sum + value, 0);
}

/** The kernel with `size` rows, the middle kept, zeros around it. */
function resized(kernel, size) {
  const offset = Math.floor(kernel.length / 2) - Math.floor(size / 2);
  return Array.from({ length: size }, (_, row) =>
    Array.from({ length: size }, (_, column) => kernel[row + offset]?.[column + offset] ?? 0));
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

function wholeInput(label, testid, trait, low, high, change) {
  const input = make("input", {
    type: "number", min: low, max: high, step: 1, style: { width: "4.5em" }, data: { testid },
    oninput: () => {
      const value = input.value.trim() === "" ? NaN : Number(input.value);
      const valid = Number.isInteger(value) && value >= low && value <= high;
      input.setAttribute("aria-invalid", String(!valid));
      change(trait, valid ? value : null, `${label} must be a whole number from ${low} to ${high}.`);
    },
  });
  return { input, element: make("label", {}, label, input) };
}

export default {
  render(view) {
    const { model } = view;
    const root = makeRoot(view, "kernel-playground", "Kernel playground");
    const complaints = new Map(); // what is wrong with what was typed in this view, by place
    let shape = 0, weights = []; // the inputs of the kernel

    const preset = make("select", { data: { testid: "preset" }, onchange: () => choose(preset.value) });
    const size = make("select", { data: { testid: "kernel-size" }, onchange: () => resize(Number(size.value)) });
    for (let k = 1; k <= LARGEST_KERNEL; k++) size.append(make("option", { value: k }, `${k} × ${k}`));
    const stride = wholeInput("Stride", "stride", "stride", 1, 7, setWhole);
    const padding = wholeInput("Padding", "padding", "padding", 0, 7, setWhole);
    const inputs = make("div", { role: "group", "aria-label": "Weights of the kernel, arrow keys move", class: "weights", data: { testid: "kernel" } });
    const message = make("p", { class: "message", role: "alert", data: { testid: "message" } });
    const picture = pixelMap({ label: "The image, with the window marked", testid: "image", size: "270px" });
    const output = pixelMap({
      label: "The output. Hover, or use the arrow keys, to look into a pixel", testid: "output", size: "270px",
      onPick: (row, column) => save(model, { position: [row, column] }),
    });
    const pixels = numberTable("Pixels of the window", "window");
    const products = numberTable("Products", "products");
    const sizes = make("p", { data: { testid: "output-size" } });
    const scale = make("p", { data: { testid: "scale" } });
    const sum = statusLine("sum");
    const paddingNote = make("p");
    const terms = make("div", { class: "sum" });
    const panel = (heading, ...content) => make("div", { class: "panel" }, make("p", { class: "heading" }, heading), ...content);
    root.append(
      make("div", { class: "row middle" },
        make("label", {}, "Kernel", preset), make("label", {}, "Size", size), stride.element, padding.element),
      make("div", { class: "hint" }, make("p", {}, HELP), message),
      make("div", { class: "slide" },
        panel("Image", picture.element),
        panel("Output", output.element),
        make("div", { class: "panel facts" }, sizes, scale, paddingNote, sum)),
      terms);
    terms.append(
      panel("The window", pixels.element),
      panel("× the kernel", inputs),
      panel("= the products", products.element));

    function complain(place, text) {
      if (text) complaints.set(place, text);
      else complaints.delete(place);
    }

    function setWhole(trait, value, text) {
      complain(trait, value === null ? text : null);
      if (value !== null) save(model, { [trait]: value });
      update();
    }

    function setKernel(kernel) {
      for (const place of [...complaints.keys()]) if (place.startsWith("weight")) complaints.delete(place);
      shape = 0; // inputs are made anew, without what was wrong in the old ones
      save(model, { kernel });
      update();
    }

    function choose(name) {
      if (name !== OWN) setKernel(model.get("presets")[name]);
    }

    function resize(k) {
      setKernel(resized(model.get("kernel"), k));
    }

    function setWeight(input, row, column) {
      const value = weightOf(input.value);
      const valid = !Number.isNaN(value);
      input.setAttribute("aria-invalid", String(!valid));
      complain(`weight ${row} ${column}`, valid ? null :
        `The weight in row ${row}, column ${column} must be a number from −${LARGEST_WEIGHT} to ${LARGEST_WEIGHT}, such as 2, -0.5 or 1/9.`);
      if (valid) {
        save(model, { kernel: model.get("kernel").map((line, r) => line.map((old, c) => (r === row && c === column ? value : old))) });
      }
      update();
    }

    function makeInputs(k) {
      shape = k;
      weights = Array.from({ length: k }, (_, row) => Array.from({ length: k }, (_, column) => {
        const input = make("input", {
          type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": `Weight, row ${row}, column ${column}`,
          oninput: () => setWeight(input, row, column),
        });
        return input;
      }));
      terms.style.setProperty("--k", k);
      terms.dataset.size = k;
      inputs.replaceChildren(...weights.flat());
      rovingFocus(weights);
    }

    function showControls(kernel) {
      if (shape !== kernel.length) makeInputs(kernel.length);
      const limit = largest(kernel) || 1;
      weights.flat().forEach((input, index) => {
        const value = kernel.flat()[index];
        if (input.getAttribute("aria-invalid") !== "true" && weightOf(input.value) !== value) {
          input.value = String(Number(value.toFixed(3)));
        }
        const colour = redBlue(limit)(value);
        input.style.background = css(colour);
        input.style.color = inkOn(colour);
      });
      const presets = Object.entries(model.get("presets"));
      if (preset.options.length !== presets.length + 1) {
        preset.replaceChildren(...[...presets.map(([name]) => name), OWN].map((name) => make("option", { value: name }, name)));
      }
      preset.value = presets.find(([, rows]) => same(rows, kernel))?.[0] ?? OWN;
      size.value = kernel.length;
      for (const [control, trait] of [[stride, "stride"], [padding, "padding"]]) {
        if (!complaints.has(trait) && control.input.value !== String(model.get(trait))) control.input.value = model.get(trait);
      }
    }

    function update() {
      const [image, kernel] = [model.get("image"), model.get("kernel")];
      const [step, rings] = [model.get("stride"), model.get("padding")];
      showControls(kernel);
      const k = kernel.length;
      const [rows, columns] = [image.length, image[0].length].map((n) => outputSize(n, k, step, rings));
      complain("size", rows && columns ? null :
        `A kernel of ${k} by ${k} does not fit into ${image.length + 2 * rings} by ${image[0].length + 2 * rings} pixels: choose a smaller one, or more padding.`);
      setText(message, [...complaints.values()].at(-1) ?? ""); // one at a time: there is room for one
      root.dataset.state = complaints.size ? "invalid" : "valid";
      const field = padded(image, rings);
      picture.draw(field, (value) => (value === null ? PADDED : grey(value)));
      setText(paddingNote, rings ? "Bluish: the padding, zeros around the image." : "");
      if (complaints.size) { // what was there stays, dimmed, so that nothing moves
        picture.frames([]);
        return;
      }
      const formula = (n, result) => `⌊(${n} + 2·${rings} − ${k}) / ${step}⌋ + 1 = ${result}`;
      const lines = rows === columns && image.length === image[0].length
        ? formula(image.length, rows)
        : `rows ${formula(image.length, rows)}, columns ${formula(image[0].length, columns)}`;
      setText(sizes, `Size: ${lines}. The output is ${rows} by ${columns} pixels.`);
      const responses = Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) =>
        total(multiplied(windowAt(field, row, column, step, k), kernel))));
      const limit = largest(responses);
      output.draw(responses, redBlue(limit));
      setText(scale, limit ? `White is 0, red up to ${written(limit)}, blue down to ${written(-limit)}.` : "White: every response is 0.");
      const [row, column] = [clamp(model.get("position")[0], 0, rows - 1), clamp(model.get("position")[1], 0, columns - 1)];
      output.place(row, column);
      output.frames([{ row, column, kind: "cursor" }]);
      picture.frames([{ row: row * step, column: column * step, rows: k, columns: k }]);
      const seen = windowAt(field, row, column, step, k);
      pixels.fill(seen.map((line) => line.map((value) => value ?? 0)), grey);
      products.fill(multiplied(seen, kernel), redBlue(largest(kernel) || 1));
      setText(sum, `Output row ${row}, column ${column} (counted from 0): the ${k * k} products add up to ${written(responses[row][column], 3)}.`);
    }

    follow(model, ["image", "kernel", "stride", "padding", "position"], update);
  },
};
