// The course's trained network in plain JavaScript. Batch norm is folded into the convolutions' weights and biases.

/** A padded 3 by 3 convolution of maps [channels × side × side]. */
function convolution(input, channels, side, weights, outChannels) {
  const output = new Float32Array(outChannels * side * side);
  for (let out = 0; out < outChannels; out++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let dr = -1; dr <= 1; dr++) {
        for (let dc = -1; dc <= 1; dc++) {
          const weight = weights[((out * channels + channel) * 3 + dr + 1) * 3 + dc + 1];
          for (let r = Math.max(0, -dr); r < Math.min(side, side - dr); r++) {
            const to = (out * side + r) * side, from = (channel * side + r + dr) * side + dc;
            for (let c = Math.max(0, -dc); c < Math.min(side, side - dc); c++) output[to + c] += weight * input[from + c];
          }
        }
      }
    }
  }
  return output;
}

/** The largest of each 2 by 2 pixels, then bias and ReLU. An odd last row and column are left out. */
function poolBiasRelu(maps, channels, side, bias) {
  const half = side >> 1, output = new Float32Array(channels * half * half);
  for (let channel = 0; channel < channels; channel++) {
    for (let r = 0; r < half; r++) {
      for (let c = 0; c < half; c++) {
        const at = (channel * side + 2 * r) * side + 2 * c;
        const top = Math.max(maps[at], maps[at + 1], maps[at + side], maps[at + side + 1]);
        output[(channel * half + r) * half + c] = Math.max(0, top + bias[channel]);
      }
    }
  }
  return output;
}

/** What the network makes of an image of 28 × 28 numbers: { logits, maps: [{ channels, side, values }] }. */
export function run(network, image) {
  let values = image, channels = 1, side = 28;
  const maps = [];
  for (const { weight, bias } of network.blocks) {
    values = poolBiasRelu(convolution(values, channels, side, weight, bias.length), bias.length, side, bias);
    channels = bias.length;
    side >>= 1;
    maps.push({ channels, side, values });
  }
  const logits = Array.from(network.out.bias, (bias, digit) =>
    values.reduce((sum, value, index) => sum + value * network.out.weight[digit * values.length + index], bias));
  return { logits, maps };
}

export function softmax(logits) {
  const top = Math.max(...logits), parts = logits.map((value) => Math.exp(value - top));
  const sum = parts.reduce((a, b) => a + b);
  return parts.map((part) => part / sum);
}

/** The network from the file that tools/site_parts.py writes: float32, little-endian, in this order. */
export function networkFrom(buffer) {
  const floats = new Float32Array(buffer);
  let at = 0;
  const take = (count) => floats.subarray(at, (at += count));
  const blocks = [[1, 16], [16, 32], [32, 64]].map(([channels, out]) => (
    { weight: take(out * channels * 9), bias: take(out) }));
  const out = { weight: take(10 * 576), bias: take(10) };
  if (at !== floats.length) throw new Error(`the network's file has ${floats.length} numbers, expected ${at}`);
  return { blocks, out };
}
