// Read a photo: a file goes to Python in parts, and what photo_reader.py found in it comes back.

const PART = 1_000_000; // bytes of a message; Jupyter's server takes 10 MB at most
const SIDE = 28; // pixels of a digit
const HELP = "Digits alone, with room between them, dark on light or light on dark. JPEG, PNG and most other kinds of "
  + "pictures. The photo goes to your own kernel and nowhere else.";

function digitPicture(bytes, index) {
  const picture = pixelMap({ label: `Digit ${index + 1} in MNIST's form`, testid: `digit-${index + 1}`, size: "84px" });
  picture.draw(Array.from({ length: SIDE }, (_, row) =>
    Array.from(bytes.subarray((index * SIDE + row) * SIDE, (index * SIDE + row + 1) * SIDE), (level) => level / 255)), grey);
  return picture.element;
}

function viewOf(buffer) {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** The digits line by line, as one would write them down. */
function inLines({ digits, line }) {
  const lines = Array.from({ length: Math.max(...line) + 1 }, (_, at) => digits.filter((_, index) => line[index] === at).join(" "));
  return lines.join(" / ");
}

export default {
  render({ model, el }) {
    const root = makeRoot({ model, el }, "photo-reader", "Read a photo", stop);
    const megabytes = model.get("most_megabytes");
    const inputId = uniqueId("photo"), helpId = uniqueId("help");
    let lost = false, address = null, sending = 0;

    const input = make("input", {
      type: "file", id: inputId, accept: "image/*,.heic,.heif", "aria-describedby": helpId, data: { testid: "file" },
      onchange: () => { take(input.files[0]); input.value = ""; }, // so that the same file can be chosen again
    });
    const zone = make("div", { class: "row middle drop", data: { testid: "drop" } },
      make("label", { for: inputId, class: "heading" }, "Photo of digits"), input, make("span", {}, "or drop one here"));
    const status = statusLine("status");
    const failure = make("p", { class: "message", role: "alert", hidden: true, data: { testid: "failure" } });
    const image = make("img", { alt: "", data: { testid: "picture" } });
    const frames = make("div", { class: "frames" });
    const photo = make("div", { class: "photo", hidden: true }, image, frames);
    const found = make("ol", { class: "found", "aria-label": "Digits in reading order", data: { testid: "found" } });
    const remarks = make("ul", { data: { testid: "remarks" } });
    root.append(zone, make("p", { id: helpId }, `${HELP} At most ${megabytes} MB.`), status, failure,
      make("div", { class: "row" }, photo, found), remarks);

    function clear() {
      photo.hidden = failure.hidden = true;
      failure.textContent = "";
      found.replaceChildren();
      remarks.replaceChildren();
    }

    function fail(text) {
      clear();
      setText(status, "");
      failure.textContent = text;
      failure.hidden = false;
      root.dataset.state = "failed";
    }

    async function take(file) {
      if (lost || !file) return;
      const mine = ++sending; // a later file takes this one's place
      if (file.size > 1e6 * megabytes) {
        fail(`${file.name} has ${Math.ceil(file.size / 1e6)} MB; at most ${megabytes} MB are read. Save it smaller.`);
        return;
      }
      clear();
      root.dataset.state = "waiting";
      setText(status, `Reading ${file.name} …`);
      let bytes;
      try {
        bytes = await file.arrayBuffer();
      } catch {
        fail(`${file.name} can't be read: is it a folder, or was it moved?`);
        return;
      }
      for (let index = 0; mine === sending && (index === 0 || index * PART < bytes.byteLength); index++) {
        const part = bytes.slice(index * PART, (index + 1) * PART);
        model.send({ index, last: (index + 1) * PART >= bytes.byteLength }, undefined, [part]);
      }
    }

    function show() {
      const answer = model.get("answer");
      if (!answer.state) return; // no photo yet
      if (answer.state === "failed") {
        fail(answer.text);
        return;
      }
      clear();
      URL.revokeObjectURL(address);
      address = URL.createObjectURL(new Blob([viewOf(model.get("picture"))], { type: "image/jpeg" }));
      image.src = address;
      image.alt = `The photo in grey, ${answer.digits.length} digits framed and numbered`;
      const [width, height] = answer.size;
      frames.replaceChildren(...answer.boxes.map(([left, top, wide, high], index) => make("div", { class: "frame", style: {
        left: `${(100 * left) / width}%`, top: `${(100 * top) / height}%`, width: `${(100 * wide) / width}%`, height: `${(100 * high) / height}%`,
      } }, make("span", {}, String(index + 1)))));
      const bytes = viewOf(model.get("digits"));
      found.replaceChildren(...answer.digits.map((digit, index) => make("li", { class: answer.sure[index] ? "" : "unsure" },
        digitPicture(bytes, index),
        make("span", { data: { testid: `answer-${index + 1}` } },
          make("strong", {}, String(digit)), ` ${Math.round(100 * answer.confidence[index])} %`,
          answer.sure[index] ? null : make("em", {}, " not sure")))));
      remarks.replaceChildren(...answer.remarks.map((remark) => make("li", {}, remark)));
      photo.hidden = false;
      const unsure = answer.sure.filter((sure) => !sure).length;
      setText(status, `Read: ${inLines(answer)}${unsure ? `. Not sure of ${unsure} of ${answer.digits.length}.` : "."}`);
      root.dataset.state = "read";
    }

    function stop() {
      lost = input.disabled = true;
    }

    for (const name of ["dragenter", "dragover"]) {
      root.addEventListener(name, (event) => {
        event.preventDefault();
        event.stopPropagation(); // JupyterLab would upload it into the folder
        zone.classList.add("over");
      });
    }
    root.addEventListener("dragleave", (event) => root.contains(event.relatedTarget) || zone.classList.remove("over"));
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation();
      zone.classList.remove("over");
      take(event.dataTransfer.files[0]);
    });

    follow(model, ["answer"], show);
    return () => URL.revokeObjectURL(address);
  },
};
