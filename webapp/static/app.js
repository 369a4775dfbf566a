// The page: an image comes in by any way, is read by the server or on this device, and its result is shown.

import { cameraIsThere, takePhoto } from "./camera.js";
import { openHistory } from "./history.js";
import { HEIGHT, WIDTH, openPad } from "./pad.js";
import { copies, copy, imageType, showResult } from "./result.js";
import { canvasOf, element, settings, share, word } from "./words.js";

const PICTURE_SIDE = 2400; // pixels of the longer side of a picture that is kept for showing
const one = (selector) => document.querySelector(selector);
const form = one("#input form");
const answer = one("#answer"), shown = one("#shown"), progress = one("#progress");
const history = openHistory(one("#history"));
let turn = 0; // images that a later choice has overtaken are dropped
let device = null; // the network in this browser, where it is wanted

document.documentElement.classList.add("script"); // the style sheet then hides what only a page without it needs

// --- ways in -----------------------------------------------------------------------------------------------------

const pad = openPad(one("#pad"), async (drawn) => {
  if (!drawn) {
    turn++;
    progress.hidden = true;
    answer.setAttribute("aria-busy", "false");
    say("");
    return;
  }
  const picture = pad.picture();
  const image = await new Promise((resolve) => picture.toBlob(resolve, "image/png"));
  readAll([{ name: word("drawing"), image, drawing: picture }]);
});

const readFiles = (files) => readAll([...files].map((file) => ({ name: file.name || "image", image: file })));

for (const input of form.querySelectorAll("input[type=file]")) {
  input.multiple = !input.hasAttribute("capture"); // the form itself sends one
  input.addEventListener("change", () => {
    if (input.files.length) {
      readFiles(input.files);
      input.form.reset(); // so that the same file can be chosen again
    }
  });
}
form.addEventListener("submit", (event) => event.preventDefault());

document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) {
    event.preventDefault();
    readFiles(event.clipboardData.files);
  }
});

document.addEventListener("dragover", (event) => {
  if ([...event.dataTransfer.types].includes("Files")) {
    event.preventDefault();
    document.body.classList.add("dropping");
  }
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) {
    document.body.classList.remove("dropping");
  }
});
document.addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files.length) {
    event.preventDefault();
    readFiles(event.dataTransfer.files);
  }
});
one("#drop").hidden = false;

if (cameraIsThere) {
  document.documentElement.classList.add("has-camera");
  one("#camera").hidden = false;
  one("#camera").addEventListener("click", async () => {
    try {
      const image = await takePhoto(one("#viewfinder"));
      if (image) {
        readAll([{ name: word("camera"), image }]);
      }
    } catch (error) {
      complain(error.message);
    }
  });
}

// --- reading -----------------------------------------------------------------------------------------------------

async function readAll(images) {
  const mine = ++turn;
  one("#pad .read").textContent = "";
  const results = [];
  answer.setAttribute("aria-busy", "true");
  say(word("busy", { name: images[0].name }));
  for (const image of images) {
    showProgress(results.length, images.length);
    const result = await read(image);
    if (mine !== turn) {
      return;
    }
    results.push(result);
    if (!result.problem) {
      history.add(result);
    }
    show(results, images.length);
  }
  progress.hidden = true;
  answer.setAttribute("aria-busy", "false");
  say(results.length === 1 ? spoken(results[0]) : word("progress", { done: results.length, total: images.length }));
  if (images[0].drawing) {
    one("#pad .read").textContent = results[0].problem ? "?" : results[0].text;
  } else {
    shown.scrollIntoView({ block: "nearest" });
  }
}

async function read({ name, image, drawing }) {
  const result = { name, image, drawing, picture: drawing ?? await pictureOf(image) };
  try {
    const found = device && drawing ? await readHere(drawing) : await ask(name, image);
    if (result.picture && !isAsRead(result.picture, found)) {
      result.picture = null;
    }
    return { ...result, ...found };
  } catch (error) {
    return { ...result, problem: error.message, english: error.english };
  }
}

async function ask(name, image) {
  if (image.size > settings.bodyLimit) {
    const size = (image.size / 2 ** 20).toFixed(1);
    throw new Error(word("too_large", { name, size, most: settings.bodyLimit / 2 ** 20 }));
  }
  const response = await fetch("/look", { method: "POST", body: image, headers: imageType(image) }).catch(() => {
    throw new Error(word("offline"));
  });
  const found = await response.json().catch(() => ({}));
  if (!response.ok) {
    const told = found.detail ? Object.assign(new Error(found.detail), { english: true }) : null;
    throw told ?? new Error(word("failed", { status: response.status }));
  }
  return found;
}

async function readHere(drawing) {
  const found = await device.read(drawing.getContext("2d").getImageData(0, 0, WIDTH, HEIGHT));
  if (found.reason) {
    throw new Error(word(found.reason, { label: found.label, share: share(found.confidence ?? 0) }));
  }
  return { ...found, onDevice: true };
}

// What the browser can show of an image; null where it cannot: the server says what it makes of it.
async function pictureOf(image) {
  try {
    return sized(await createImageBitmap(image));
  } catch {
    return null;
  }
}

// Whether the browser shows an image as the server read it: by EXIF it turns photos, but no WebP.
function isAsRead({ width, height, fileWidth = width, fileHeight = height }, found) {
  return !found.width || (fileWidth === found.width && fileHeight === found.height);
}

// A canvas that answers with the file's own width and height, which boxes are told in.
function sized(bitmap) {
  const canvas = canvasOf(bitmap, PICTURE_SIDE);
  const { width, height } = bitmap;
  bitmap.close();
  return canvas.width === width ? canvas : Object.assign(canvas, { fileWidth: width, fileHeight: height });
}

// --- showing -----------------------------------------------------------------------------------------------------

function show(results, total) {
  const place = element("div");
  const open = (index) => {
    place.replaceChildren(showResult(results[index]));
    list?.querySelectorAll("button").forEach((other, at) => other.setAttribute("aria-pressed", String(at === index)));
  };
  const list = total > 1 ? element("ol", { className: "images", "aria-label": word("results") },
    ...results.map((result, index) => element("li", {}, element("button", {
      type: "button", onclick: () => open(index),
    }, result.picture ? canvasOf(result.picture, 96) : null, element("b", {}, result.text ?? "–"),
    element("span", { className: "faint" }, result.name))))) : null;
  const ways = results.some((result) => !result.problem) ? element("div", { className: "tools" },
    ...Object.entries(copies).map(([name, made]) => element("button", {
      type: "button", className: "small quiet", onclick: async () => {
        await copy(made(results));
        say(word("copied"));
      },
    }, word(name)))) : null;
  shown.replaceChildren(...[list, place, ways].filter(Boolean));
  open(results.length - 1);
}

function showProgress(done, total) {
  progress.hidden = total === 1;
  progress.querySelector("progress").max = total;
  progress.querySelector("progress").value = done;
  one("#progress-text").textContent = word("progress", { done, total });
}

const spoken = (result) => result.problem
  ?? result.lines.map((line) => word("character", { label: line.text, share: share(line.probability) })).join("; ");

function say(text) {
  one("#status").textContent = text;
}

function complain(text) {
  shown.replaceChildren(element("p", { className: "complaint" }, text));
  say(text);
}

// --- without the server ------------------------------------------------------------------------------------------

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/sw.js").catch(() => {}); // the page works without it, as long as the server does
}

if (settings.device) {
  const area = one("#device"), input = area.querySelector("input"), state = one("#device-state");
  area.hidden = false;
  input.addEventListener("change", async () => {
    device = null;
    remembered(input.checked ? "1" : "");
    one("#privacy").textContent = word(input.checked ? "privacy_device" : "privacy");
    state.textContent = "";
    if (!input.checked) {
      return;
    }
    state.textContent = word("device_loading");
    try {
      const { openDevice } = await import("./device.js");
      opened ??= openDevice();
      const ready = await opened;
      device = input.checked ? ready : null;
      state.textContent = word("device_ready");
    } catch (error) {
      opened = null;
      input.checked = false;
      one("#privacy").textContent = word("privacy");
      state.textContent = word("device_failed", { reason: error.message });
    }
  });
  let opened = null; // LiteRT can be loaded once
  if (remembered()) {
    input.checked = true;
    input.dispatchEvent(new Event("change"));
  }
}

// Whether the switch was on the last time; sets it too.  Storage may be forbidden: then nothing is remembered.
function remembered(value) {
  try {
    if (value !== undefined) {
      localStorage.setItem("glyphlite-device", value);
    }
    return localStorage.getItem("glyphlite-device");
  } catch {
    return null;
  }
}
