// The course's interactive parts in a page without a kernel: the notebooks' own scripts, with a stand-in for the model
// that Jupyter gives them, and what their Python half does where they need one.
import { draw, mnistWay, scaled } from "./drawing.js";
import { networkFrom, run, softmax } from "./network.js";

/** What anywidget's model does, as far as the parts ask it. */
class Model {
  constructor(state) {
    this.state = state;
    this.listeners = [];
    this.changed = new Set();
    this.onSave = () => {};
  }

  get(name) {
    return this.state[name];
  }

  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    this.changed.add(name);
    for (const [events, listener] of this.listeners) if (events.includes(`change:${name}`)) listener();
  }

  on(events, listener) {
    this.listeners.push([events.split(" "), listener]);
  }

  save_changes() {
    const changed = this.changed;
    this.changed = new Set();
    this.onSave(changed);
  }
}

const bytes = (values) => {
  const levels = Uint8Array.from(values, (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
  return new DataView(levels.buffer);
};

/** Feature maps side by side, a grey line between them: as draw_digit.py's montage. */
function montage({ channels, side, values }) {
  const columns = channels <= 16 ? 8 : 16, rows = Math.ceil(channels / columns), step = side + 1;
  const height = rows * step - 1, width = columns * step - 1;
  const picture = new Float32Array(height * width).fill(0.5);
  const top = Math.max(1e-12, values.reduce((high, value) => Math.max(high, value), 0));
  values.forEach((value, index) => {
    const map = Math.floor(index / (side * side)), row = Math.floor(index / side) % side, column = index % side;
    picture[(Math.floor(map / columns) * step + row) * width + (map % columns) * step + column] = Math.max(0, value) / top;
  });
  return { height, width, pixels: bytes(picture) };
}

function read(network, picture) {
  if (!picture.some((value) => value > 0)) return { state: "blank", text: "The pad is blank: nothing to read. Draw a digit." };
  const images = { drawn: scaled(picture), mnist: mnistWay(picture) };
  const answers = Object.fromEntries(Object.entries(images).map(([way, image]) => [way, run(network, image)]));
  const probabilities = Object.fromEntries(Object.entries(answers).map(([way, { logits }]) => [way, softmax(logits)]));
  const words = (way) => {
    const best = Math.max(...probabilities[way]);
    return `${probabilities[way].indexOf(best)} (${Math.round(100 * best)} %)`;
  };
  return {
    state: "read",
    text: `MNIST's way, the network reads ${words("mnist")}; as drawn, ${words("drawn")}.`,
    pictures: { drawn: bytes(images.drawn), mnist: bytes(images.mnist) },
    probabilities,
    maps: answers.mnist.maps.slice(0, 2).map((layer, index) => ({
      label: `MNIST's way, after block ${index + 1}: ${layer.channels} maps of ${layer.side}×${layer.side}`, ...montage(layer),
    })),
  };
}

async function fetched(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

/** The Python half of draw_digit.py. */
async function drawDigit(state) {
  const network = networkFrom(await (await fetched("parts/network.bin")).arrayBuffer());
  const levels = new Uint8Array(await (await fetched("parts/examples.bin")).arrayBuffer());
  const examples = Array.from({ length: levels.length / 784 }, (_, index) =>
    Float32Array.from(levels.subarray(784 * index, 784 * (index + 1)), (level) => level / 255));
  const model = new Model({ ...state, example_count: examples.length, answer: { ...read(network, []), to: 0 } });
  model.onSave = (changed) => {
    if (!changed.has("asked")) return;
    const example = model.get("example");
    const picture = example === null ? draw(model.get("value"), model.get("pen_width")) : examples[example];
    model.set("answer", { ...read(network, picture), to: model.get("asked") });
  };
  return model;
}

/** The Python half of blind_labels.py: what the network and the file say is asked for once all images are labelled. */
async function blindLabels(state) {
  const model = new Model({ ...state, table: {} });
  model.onSave = async (changed) => {
    if (!changed.has("finished")) return;
    const theirs = await (await fetched("parts/blind_labels_theirs.json")).json();
    const yours = model.get("value");
    const [file, network] = ["file", "network"].map((name) => theirs[name].filter((digit, index) => digit === yours[index]).length);
    const unsure = yours.filter((digit) => digit === null).length;
    const text = `Of ${yours.length} images you agree with the file on ${file} and with the network on ${network}; on ${unsure} you can't tell.`;
    model.set("table", { ...theirs, text });
  };
  return model;
}

const PYTHON_HALVES = { draw_digit: drawDigit, blind_labels: blindLabels };

/** Bytes travel as { base64 }; the parts read them as a DataView. */
const revived = (_, value) => typeof value?.base64 === "string"
  ? new DataView(Uint8Array.from(atob(value.base64), (character) => character.charCodeAt(0)).buffer)
  : value;

async function place(element) {
  const name = element.dataset.part;
  const state = JSON.parse(await (await fetched(`parts/${name}.json`)).text(), revived);
  const model = await (PYTHON_HALVES[name] ?? ((traits) => new Model(traits)))(state);
  const part = await import(`./parts/${name}.js`);
  const style = document.createElement("link");
  Object.assign(style, { rel: "stylesheet", href: new URL(`parts/${name}.css`, import.meta.url) });
  await new Promise((loaded) => {
    style.onload = style.onerror = loaded;
    document.head.append(style);
  });
  element.replaceChildren();
  part.default.render({ model, el: element });
  element.dataset.ready = "true";
}

// For tests, which hold the numbers to PyTorch's.
export async function logitsOf(image) {
  const network = networkFrom(await (await fetched("parts/network.bin")).arrayBuffer());
  return run(network, Float32Array.from(image)).logits;
}

for (const element of document.querySelectorAll("[data-part]")) {
  place(element).catch((error) => element.append(` This part could not start: ${error.message}`));
}
