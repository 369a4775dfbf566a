// The network in this browser: the same file that the server runs, by LiteRT's build for browsers.

import { glyphsOf } from "./ink.js";
import { word } from "./words.js";

const CACHE = "glyphlite-device"; // kept by the service worker, which answers from it offline
const TOP = 5;

// Fetches the model and what runs it; the result answers drawings.
export async function openDevice() {
  const response = await fetch("/device/model.json");
  if (!response.ok) {
    throw new Error(word("failed", { status: response.status }));
  }
  const card = await response.json();
  const [litert, , loader] = card.runtime;
  await keep(["/device/model.json", card.model, ...card.runtime]);
  const { loadLiteRt, loadAndCompile, Tensor } = await import(litert);
  await quietly(() => loadLiteRt(loader));
  const file = await fetch(card.model).then((answer) => answer.arrayBuffer());
  const model = await quietly(() => loadAndCompile(oneAtATime(file), { accelerator: "wasm" }));
  const [input] = model.getInputDetails();

  async function logits(glyph) {
    const [low, high] = card.valueRange;
    const pixels = input.dtype === "float32"
      ? Float32Array.from(glyph, (value) => low + (value / 255) * (high - low)) : glyph;
    const tensor = new Tensor(pixels, [1, card.side, card.side, 1]);
    const [output] = await model.run(tensor);
    tensor.delete();
    const values = Array.from(output.toTypedArray());
    output.delete();
    return values;
  }

  // One glyph's answer, as the API gives it.
  async function judge({ glyph, box }) {
    const probabilities = shares(await logits(glyph), card);
    const order = card.labels.map((_, index) => index).sort((a, b) => probabilities[b] - probabilities[a]);
    const best = order.slice(0, TOP).map((index) => ({ label: card.labels[index], confidence: probabilities[index] }));
    const other = 1 - probabilities.reduce((sum, one) => sum + one, 0);
    return { ...best[0], top: best, box, pixels: glyph, side: card.side, other };
  }

  await logits(new Uint8Array(card.side * card.side)); // the first answer takes longer than all others

  const isSure = (one) => one.confidence >= (card.minConfidence ?? 0);
  return {
    name: card.name,
    // {lines, …} of a drawing's ImageData as `POST /look` answers it, or {reason, label, confidence}.
    async read(drawing) {
      const start = performance.now();
      const found = glyphsOf(drawing, card.side);
      if (!found.length) {
        return { reason: "no_character" };
      }
      const judged = [];
      for (const one of card.minConfidence === null ? found.slice(0, 1) : found) {
        judged.push(await judge(one));
      }
      const [main, ...rivals] = judged;
      if (!isSure(main)) {
        return { reason: main.other > main.confidence ? "not_known" : "not_sure", ...main };
      }
      if (rivals.some(isSure)) {
        return { reason: "several", ...main };
      }
      const line = { text: main.label, probability: main.confidence, characters: [main], alternatives: [] };
      const milliseconds = Math.round(10 * (performance.now() - start)) / 10;
      return { text: main.label, lines: [line], model: card.name, milliseconds };
    },
  };
}

// Probabilities of logits; where the card has a refusal, beside one more logit, 0, for what is no character.
function shares(logits, { temperature, minConfidence, output }) {
  if (output === "probabilities") {
    return logits;
  }
  const scaled = logits.map((one) => one / temperature);
  const peak = Math.max(...scaled, minConfidence === null ? -Infinity : 0);
  const raised = scaled.map((one) => Math.exp(one - peak));
  const sum = raised.reduce((a, b) => a + b, minConfidence === null ? 0 : Math.exp(-peak));
  return raised.map((one) => one / sum);
}

// A model's file with the batch that it leaves open set to one image: LiteRT's build for browsers takes no other tensor
// than the file's own.  Of each tensor (tensorflow/compiler/mlir/lite/schema/schema.fbs) the shape has the one, the
// shape signature the open one.
function oneAtATime(file) {
  const view = new DataView(file);
  const follow = (at) => at + view.getUint32(at, true);
  const field = (table, index) => {
    const known = table - view.getInt32(table, true), slot = 4 + 2 * index;
    const offset = slot < view.getUint16(known, true) ? view.getUint16(known + slot, true) : 0;
    return offset && follow(table + offset);
  };
  const each = function* (vector) {
    for (let index = 0; index < view.getUint32(vector, true); index++) {
      yield vector + 4 + 4 * index;
    }
  };
  for (const subgraph of each(field(follow(0), 2))) {
    for (const tensor of each(field(follow(subgraph), 0))) {
      const shape = field(follow(tensor), 0), signature = field(follow(tensor), 7);
      for (const at of signature ? each(signature) : []) {
        if (view.getInt32(at, true) === -1) {
          view.setInt32(at, view.getInt32(shape + at - signature, true), true);
        }
      }
    }
  }
  return new Uint8Array(file);
}

// Keep these for when the server is not there, and nothing older; not possible over plain HTTP.
async function keep(addresses) {
  if (!globalThis.caches) {
    return;
  }
  const cache = await caches.open(CACHE);
  const known = (await cache.keys()).map((request) => new URL(request.url).pathname);
  await cache.addAll(addresses.filter((one) => one.endsWith(".json") || !known.includes(one)));
  await Promise.all(known.filter((one) => !addresses.includes(one)).map((one) => cache.delete(one)));
}

// LiteRT writes its progress as errors to the console, and warns of a GPU that it would not use; what it throws comes.
async function quietly(action) {
  const { error, warn } = console;
  const noise = /^(INFO|WARNING|VERBOSE)|^[IWV]\d{4}|WebGPU/;
  console.error = (...parts) => (noise.test(parts.join(" ")) || error(...parts));
  console.warn = (...parts) => (noise.test(parts.join(" ")) || warn(...parts));
  try {
    return await action();
  } finally {
    Object.assign(console, { error, warn });
  }
}
