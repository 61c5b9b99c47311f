// What strokes.py and mnist_form.py do in Python: strokes to ink, and ink into MNIST's form.

const SIZE = 28, FINE = 280, BOX = 20, CENTRE = 14;

/** Ink (280 × 280, 0 or 1) of strokes, lists of points [x, y] in units of the pad's side. */
export function draw(strokes, penWidth) {
  const ink = new Float32Array(FINE * FINE), radius = (penWidth * FINE) / 2;
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [x * FINE, y * FINE]);
    points.forEach((end, index) => line(ink, points[Math.max(0, index - 1)], end, radius));
  }
  return ink;
}

function line(ink, [x0, y0], [x1, y1], radius) {
  const reach = (a, b) => [Math.max(0, Math.floor(Math.min(a, b) - radius)), Math.min(FINE, Math.ceil(Math.max(a, b) + radius))];
  const [left, right] = reach(x0, x1), [top, bottom] = reach(y0, y1);
  const dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      let x = column + 0.5 - x0, y = row + 0.5 - y0;
      if (length) {
        const share = Math.min(1, Math.max(0, (x * dx + y * dy) / length));
        x -= share * dx;
        y -= share * dy;
      }
      if (x * x + y * y <= radius * radius) ink[row * FINE + column] = 1;
    }
  }
}

/** How much of each old pixel a new one is made of, along one axis: for each new one, [[old, share], …]. */
function shares(before, after) {
  return Array.from({ length: after }, (_, index) => {
    const start = (index * before) / after, end = ((index + 1) * before) / after, list = [];
    for (let old = Math.floor(start); old < Math.min(before, Math.ceil(end)); old++) {
      const share = ((Math.min(end, old + 1) - Math.max(start, old)) * after) / before;
      if (share > 0) list.push([old, share]);
    }
    return list;
  });
}

/** The part of a picture from (top, left), height × width, at another size; each pixel the mean of what it covers. */
function resize(picture, stride, [top, left, height, width], toHeight, toWidth) {
  const output = new Float32Array(toHeight * toWidth), columns = shares(width, toWidth);
  shares(height, toHeight).forEach((rowShares, r) => columns.forEach((columnShares, c) => {
    let sum = 0;
    for (const [row, a] of rowShares) for (const [column, b] of columnShares) sum += a * b * picture[(top + row) * stride + left + column];
    output[r * toWidth + c] = sum;
  }));
  return output;
}

/** A square picture at 28 × 28; nothing is moved. */
export function scaled(picture) {
  const side = Math.sqrt(picture.length);
  return resize(picture, side, [0, 0, side, side], SIZE, SIZE);
}

/** Half goes to the even neighbour, as Python's round has it. */
function roundEven(value) {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

function place(mass) {
  const centre = mass.reduce((sum, value, index) => sum + value * index, 0) / mass.reduce((a, b) => a + b, 0);
  return Math.min(Math.max(0, CENTRE - Math.floor(centre + 0.5)), SIZE - mass.length);
}

/** A square picture with ink in it in MNIST's form, 28 × 28. */
export function mnistWay(picture) {
  const side = Math.sqrt(picture.length);
  let top = side, left = side, bottom = -1, right = -1;
  picture.forEach((value, index) => {
    if (!value) return;
    const row = Math.floor(index / side), column = index % side;
    [top, bottom] = [Math.min(top, row), Math.max(bottom, row)];
    [left, right] = [Math.min(left, column), Math.max(right, column)];
  });
  const sides = [bottom - top + 1, right - left + 1];
  const [height, width] = sides.map((length) => Math.max(1, roundEven((BOX * length) / Math.max(...sides))));
  const small = resize(picture, side, [top, left, ...sides], height, width);
  const rows = new Array(height).fill(0), columns = new Array(width).fill(0);
  small.forEach((value, index) => {
    rows[Math.floor(index / width)] += value;
    columns[index % width] += value;
  });
  const image = new Float32Array(SIZE * SIZE), down = place(rows), across = place(columns);
  small.forEach((value, index) => { image[(down + Math.floor(index / width)) * SIZE + across + (index % width)] = value; });
  return image;
}
