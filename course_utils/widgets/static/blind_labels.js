// Blind labelling: the images one by one, a key for each digit. What the network and the file say is not here before
// the learner has answered everything and asks for the table: blind_labels.py keeps it.

const SIDE = 28; // pixels
const KEYS_ON = "Keys: 0 to 9, ? if you can't tell, Backspace to take the last answer back. Shift+Enter leaves.";
const KEYS_OFF = "Click here to answer by keyboard.";

function pictureOf(pixels, index) {
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset + index * SIDE * SIDE, SIDE * SIDE);
  return Array.from({ length: SIDE }, (_, row) =>
    Array.from(bytes.subarray(row * SIDE, (row + 1) * SIDE), (level) => level / 255));
}

/** An answer as it is written; `unknown` where there is none. */
function spoken(answer, unknown) {
  return answer === null || answer === undefined ? unknown : String(answer);
}

/** With whom a row's own answer agrees, in words: a colour alone would not do. */
function agreesWith(yours, others) {
  if (yours === null) return "–";
  const names = Object.keys(others).filter((name) => others[name] === yours);
  return names.length ? names.join(" and ") : "neither";
}

function resultTable(model, caption) {
  const { text, network, file } = model.get("table");
  const others = Object.fromEntries(Object.entries({ network, file }).filter(([, answers]) => answers));
  const heads = ["Image", "You", ...Object.keys(others).map((name) => `The ${name}`), "You agree with"];
  const rows = model.get("value").map((yours, index) => {
    const theirs = Object.fromEntries(Object.entries(others).map(([name, answers]) => [name, answers[index]]));
    const picture = pixelMap({ label: `Image ${index + 1}`, testid: `result-image-${index + 1}`, size: "34px" });
    picture.draw(pictureOf(model.get("pixels"), index), grey);
    return make("tr", { data: { testid: `result-${index + 1}` } },
      make("th", { scope: "row" }, make("span", { class: "row middle" }, String(index + 1), picture.element)),
      make("td", {}, spoken(yours, "can't tell")),
      ...Object.values(theirs).map((answer) => make("td", {}, spoken(answer, "–"))),
      make("td", {}, agreesWith(yours, theirs)));
  });
  caption.textContent = text;
  return [caption, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), make("tbody", {}, ...rows)];
}

export default {
  render({ model, el }) {
    const root = makeRoot({ model, el }, "blind-labels", "Blind labelling", stop);
    const count = model.get("count");
    let lost = false;

    const picture = pixelMap({ label: "", testid: "image", size: "224px" });
    Object.entries({ tabindex: "0", role: "application", "aria-roledescription": "image to label" })
      .forEach(([name, value]) => picture.element.setAttribute(name, value));
    const digits = Array.from({ length: 10 }, (_, digit) =>
      make("button", { type: "button", "aria-label": `It is a ${digit}`, data: { testid: `digit-${digit}` }, onclick: () => answer(digit) }, String(digit)));
    const unsure = make("button", { type: "button", data: { testid: "unsure" }, onclick: () => answer(null) }, "Can't tell (?)");
    const undo = make("button", { type: "button", data: { testid: "undo" }, onclick: takeBack }, "Undo (Backspace)");
    const show = make("button", { type: "button", class: "primary", data: { testid: "show" }, onclick: finish }, "Show the three answers");
    const bar = make("progress", { max: count, value: 0, "aria-label": "Images labelled", data: { testid: "progress-bar" } });
    const help = make("p", { class: "keys-help", data: { testid: "keys" } }, KEYS_OFF);
    const progress = make("p", { class: "heading", data: { testid: "progress" } });
    const status = statusLine("status");
    const keys = make("div", { class: "digit-keys" }, ...digits);
    const form = make("div", { class: "row", data: { testid: "form" } },
      picture.element,
      make("div", { class: "panel answers" }, progress, bar, keys, make("div", { class: "row" }, unsure, undo), show, help));
    const caption = make("caption", { tabindex: "-1", data: { testid: "agreement" } });
    const table = make("table", { class: "results", hidden: true, data: { testid: "results" } });
    root.append(form, status, table);

    root.addEventListener("focusin", () => setText(help, KEYS_ON));
    root.addEventListener("focusout", ({ relatedTarget }) => root.contains(relatedTarget) || setText(help, KEYS_OFF));

    function answer(digit) {
      const given = model.get("value");
      if (lost || model.get("finished") || given.length >= count) return;
      change([...given, digit]);
      setText(status, `Image ${given.length + 1}: ${digit === null ? "you can't tell" : `you say ${digit}`}.`);
      if (given.length + 1 === count) show.focus(); // the keys are gone
    }

    function takeBack() {
      const given = model.get("value");
      if (lost || model.get("finished") || !given.length) return;
      change(given.slice(0, -1));
      setText(status, `The answer to image ${given.length} is taken back.`);
      if (document.activeElement === document.body || show.hidden && document.activeElement === show) picture.element.focus();
    }

    function change(value) {
      save(model, { value });
    }

    function finish() {
      save(model, { finished: true });
    }

    function paint() {
      const given = model.get("value").length;
      const complete = given === count;
      setText(progress, complete ? `All ${count} images labelled` : `Image ${given + 1} of ${count}: which digit is it?`);
      bar.value = given;
      picture.draw(pictureOf(model.get("pixels"), Math.min(given, count - 1)), grey);
      picture.element.setAttribute("aria-label", complete ? "The last image, labelled" : `Image ${given + 1} of ${count}: press a digit`);
      keys.hidden = unsure.hidden = complete;
      show.hidden = !complete;
      root.dataset.state = model.get("finished") ? "finished" : complete ? "complete" : "labelling";
    }

    function reveal() {
      if (!model.get("table").text) return;
      const hadFocus = root.contains(document.activeElement);
      table.replaceChildren(...resultTable(model, caption));
      form.hidden = true;
      table.hidden = false;
      setText(status, "Your answers are fixed now.");
      if (hadFocus) caption.focus();
    }

    function stop() {
      lost = true;
      for (const button of [...digits, unsure, undo, show]) button.disabled = true;
    }

    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const action = /^[0-9]$/.test(event.key) ? () => answer(Number(event.key))
        : { "?": () => answer(null), Backspace: takeBack }[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    });

    follow(model, ["value", "finished"], paint);
    follow(model, ["table"], reveal);
    if (!model.get("finished")) focusWhenRun(model, root, picture.element);
  },
};
