// A result as the page shows it: the text, boxes on the picture, each character's glyph and bars, the stages, copies.

import { ask } from "./ask.js";
import { canvasOfPng, element, pngBlob, settings, share, word } from "./words.js";

// The element of a result {name, text, lines, model, milliseconds, whole, onDevice, picture, image}, or {name, problem,
// …}.  whole: its model took the whole image.
export function showResult(result) {
  const shown = element("div", { className: "result" });
  if (result.problem) {
    shown.append(element("p", { className: "complaint", lang: result.english ? "en" : settings.language }, result.problem));
    if (result.picture) {
      shown.append(pictureOf(result));
    }
    return shown;
  }
  for (const line of result.lines) {
    const alone = result.lines.length === 1 && [...line.text].length === 1;
    shown.append(element("div", { className: "verdict" },
      element("p", { className: alone ? "label" : "label number" }, line.text),
      element("p", { className: "faint" }, word("sure", { share: share(line.probability) }))));
  }
  const detail = element("div", { className: "detail" });
  const characters = result.lines.flatMap((line) => line.characters).filter((one) => one.glyph || one.pixels);
  const chosen = (character) => showCharacter(detail, character, result.whole);
  shown.append(result.picture ? pictureOf(result, characters, chosen) : namesOf(characters, chosen), detail);
  chosen(characters[0]);
  const took = { time: milliseconds(result.milliseconds), model: result.model };
  shown.append(element("p", { className: "faint" }, word(result.onDevice ? "took_device" : "took", took)));
  if (!result.onDevice && !result.whole) {
    shown.append(stagesOf(result));
  }
  return shown;
}

const milliseconds = (time) => new Intl.NumberFormat(settings.language, { maximumFractionDigits: 1 }).format(time);

// The picture with a button over each character's box; `chosen` is told which one was pressed.
function pictureOf(result, characters = [], chosen = () => {}) {
  const canvas = result.picture;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", word("picture"));
  const { fileWidth: width = canvas.width, fileHeight: height = canvas.height } = canvas;
  const boxes = characters.filter((one) => one.box).map((one, index) => {
    const { x, y, width: across, height: down } = one.box;
    const isRight = x + across / 2 > width / 2; // its tag grows to the left, where there is room
    const tag = element("span", {}, one.label);
    tag.style.maxWidth = `max(6rem, ${(100 * (isRight ? x + across : width - x)) / across}%)`;
    const button = element("button", {
      type: "button", className: isRight ? "box right" : "box",
      title: word("character", { label: one.label, share: share(one.confidence) }),
      "aria-pressed": String(index === 0), onclick: () => {
        boxes.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
        chosen(one);
      },
    }, tag);
    button.setAttribute("aria-label", button.title);
    Object.assign(button.style, {
      left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`,
      width: `${(100 * across) / width}%`, height: `${(100 * down) / height}%`,
    });
    return button;
  });
  return element("div", { className: result.drawing ? "picture drawing" : "picture" }, element("div", { className: "boxes" }, canvas, ...boxes));
}

// A button for each character, where the browser cannot show the picture.
function namesOf(characters, chosen) {
  return element("div", { className: "tools" }, ...characters.map((one) => element("button", {
    type: "button", className: "small quiet", onclick: () => chosen(one),
  }, one.label)));
}

async function showCharacter(place, character, whole) {
  if (!character) {
    place.replaceChildren();
    return;
  }
  const glyph = character.pixels ? canvasOfGlyph(character) : await canvasOfPng(character.glyph);
  glyph.className = "glyph";
  glyph.setAttribute("role", "img");
  glyph.setAttribute("aria-label", `${glyph.width} × ${glyph.height}`);
  place.replaceChildren(
    element("figure", {}, glyph, element("figcaption", {}, word("saw"))),
    element("table", {}, element("caption", {}, word("likeliest")),
      element("tbody", {}, ...character.top.map((one) => element("tr", {},
        element("th", { scope: "row" }, element("span", {}, one.label)), element("td", {}, bar(one.confidence)),
        element("td", {}, share(one.confidence)))))),
    ...(settings.corrections ? [correctionOf(character, glyph, whole)] : []),
  );
}

function bar(value) {
  const fill = element("span");
  fill.style.width = `${100 * value}%`;
  return element("span", { className: "bar", "aria-hidden": "true" }, fill);
}

function canvasOfGlyph({ pixels, side }) {
  const canvas = element("canvas", { width: side, height: side });
  const image = new ImageData(side, side);
  pixels.forEach((value, at) => image.data.set([value, value, value, 255], 4 * at));
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// A form that sends the glyph with its right label, once the box that allows it is ticked.
function correctionOf(character, glyph, whole) {
  const label = element("select", {}, ...settings.labels.map((one) => element("option", { value: one }, one)));
  const allowed = element("input", { type: "checkbox", required: true });
  const send = element("button", { className: "small" });
  const said = element("p", { role: "status", className: "faint" });
  const name = () => { send.textContent = word("keep", { label: label.value }); };
  label.value = character.label;
  label.addEventListener("change", name);
  name();
  const form = element("form", { onsubmit: async (event) => {
    event.preventDefault();
    try {
      const body = character.glyph ? pngBlob(character.glyph) : await new Promise((done) => glyph.toBlob(done));
      const answer = await fetch(`/corrections?label=${encodeURIComponent(label.value)}`, {
        method: "POST", body, headers: { "Content-Type": "image/png" },
      });
      const told = answer.ok ? word("kept", { label: label.value }) : (await answer.json()).detail;
      Object.assign(said, { textContent: told, lang: answer.ok ? settings.language : "en" });
    } catch {
      Object.assign(said, { textContent: word("offline"), lang: settings.language });
    }
  } },
  element("label", {}, word("right_label"), " ", label),
  element("label", { className: "consent" }, allowed,
    element("span", {}, word(whole ? "consent_whole" : "consent", { pixels: `${glyph.width} × ${glyph.height}` }))),
  send, said);
  return element("details", { className: "correction" }, element("summary", {}, word("wrong")), form);
}

// The stages' pictures, asked for when they are opened.
function stagesOf(result) {
  const list = element("div", { className: "stages" });
  const stages = element("details", { ontoggle: async () => {
    if (!stages.open || list.childElementCount) {
      return;
    }
    try {
      for (const { name, picture } of await ask("/look/stages", result)) {
        const [, line = "", kind] = name.match(/^\d-(?:line-(\d+)-)?(\w+)$/);
        const caption = word(`stage_${kind}`, { line });
        const canvas = await canvasOfPng(picture);
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", caption);
        list.append(element("figure", {}, element("figcaption", {}, caption), canvas));
      }
    } catch (error) {
      const lang = error.english ? "en" : settings.language;
      list.append(element("p", { className: "complaint", lang }, error.message));
    }
  } }, element("summary", {}, word("stages")), list);
  return stages;
}

// What has been read, to be copied.  Rows of CSV: file, line, text, probability.
export const copies = {
  copy_text: (results) => results.map((one) => one.text ?? "").join("\n"),
  copy_csv: (results) => [["file", "line", "text", "probability"], ...results.flatMap((one) =>
    (one.lines ?? []).map((line, number) => [one.name, number + 1, line.text, line.probability]))]
    .map((row) => row.map(quoted).join(",")).join("\r\n"),
  copy_json: (results) => JSON.stringify(results.map(({ name, text, lines, model, milliseconds, problem }) => (problem
    ? { file: name, problem }
    : { file: name, text, model, milliseconds, lines: lines.map((line) => ({
      ...line, characters: line.characters.map(({ label, confidence, top, box }) => ({ label, confidence, top, box })),
    })) })), null, 2),
};

const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);

// Into the clipboard; a page that came over plain HTTP has only the old way.
export async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = element("textarea", { value: text, className: "unseen" });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
