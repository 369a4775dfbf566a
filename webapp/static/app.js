// The page: an image comes in by any way, is read by the server or on this device, and its result is shown.

import { ask } from "./ask.js";
import { cameraIsThere, takePhoto } from "./camera.js";
import { openGallery, pictureOf, thumbOf } from "./gallery.js";
import { openHistory } from "./history.js";
import { HEIGHT, WIDTH, openPad } from "./pad.js";
import { element, settings, share, word } from "./words.js";

const one = (selector) => document.querySelector(selector);
const form = one("#input form");
const answer = one("#answer"), shown = one("#shown"), progress = one("#progress");
const history = openHistory(one("#history"));
let turn = 0; // images that a later choice has overtaken are dropped
let device = null; // a promise of the network in this browser, where it is wanted; of null, where it cannot be had

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
  const camera = one("#camera");
  camera.hidden = false;
  camera.addEventListener("click", async () => {
    camera.disabled = true; // a second click while it starts would open the dialog twice
    try {
      const image = await takePhoto(one("#viewfinder"));
      if (image) {
        readAll([{ name: word("camera"), image }]);
      }
    } catch (error) {
      complain(error.message);
    } finally {
      camera.disabled = false;
      camera.focus();
    }
  });
}

// --- reading -----------------------------------------------------------------------------------------------------

async function readAll(images) {
  const mine = ++turn;
  one("#pad .read").textContent = "";
  const gallery = openGallery(shown, images.length, say);
  let last;
  answer.setAttribute("aria-busy", "true");
  say(word("busy", { name: images[0].name }));
  for (const [done, image] of images.entries()) {
    showProgress(done, images.length);
    const { picture, ...result } = await read(image);
    if (mine !== turn) {
      return;
    }
    last = result;
    if (!result.problem) {
      history.add(result);
    }
    gallery.add(result, picture);
  }
  progress.hidden = true;
  answer.setAttribute("aria-busy", "false");
  if (images.length === 1) {
    say(spoken(last), last.english);
  } else {
    say(word("progress", { done: images.length, total: images.length }));
  }
  if (last.drawing) {
    one("#pad .read").textContent = last.problem ? "?" : last.text;
  } else {
    shown.scrollIntoView({ block: "nearest" });
  }
}

async function read(image) {
  const found = await answerTo(image).catch((error) => ({ problem: error.message, english: error.english }));
  const result = { ...image, ...found };
  const picture = await pictureOf(result);
  return { ...result, picture, thumb: thumbOf(picture) };
}

async function answerTo(image) {
  const here = image.drawing ? await wantedDevice() : null;
  return here ? readHere(here, image.drawing) : ask("/look", image);
}

// The network in this browser, waited for where the page says that it reads: no drawing goes to the server then.
async function wantedDevice() {
  let awaited, ready;
  do {
    awaited = device;
    ready = await awaited;
  } while (device !== awaited); // it was switched meanwhile
  return ready;
}

async function readHere(here, drawing) {
  const found = await here.read(drawing.getContext("2d").getImageData(0, 0, WIDTH, HEIGHT));
  if (found.reason) {
    throw new Error(word(found.reason, { label: found.label, share: share(found.confidence ?? 0) }));
  }
  return { ...found, onDevice: true };
}

// --- showing -----------------------------------------------------------------------------------------------------

function showProgress(done, total) {
  progress.hidden = total === 1;
  progress.querySelector("progress").max = total;
  progress.querySelector("progress").value = done;
  one("#progress-text").textContent = word("progress", { done, total });
}

const spoken = (result) => result.problem
  ?? result.lines.map((line) => word("character", { label: line.text, share: share(line.probability) })).join("; ");

function say(text, english = false) {
  const status = one("#status");
  status.lang = english ? "en" : settings.language;
  status.textContent = text;
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
  const saysWhoReads = () => { one("#privacy").textContent = word(input.checked ? "privacy_device" : "privacy"); };
  const start = async () => {
    state.textContent = word("device_loading");
    try {
      const { openDevice } = await import("./device.js");
      opened ??= openDevice();
      const ready = await opened;
      state.textContent = input.checked ? word("device_ready") : "";
      return ready;
    } catch (error) {
      opened = null;
      input.checked = false;
      saysWhoReads(); // before the server reads what was drawn meanwhile
      state.textContent = word("device_failed", { reason: error.message });
      return null;
    }
  };
  area.hidden = false;
  input.addEventListener("change", () => {
    remembered(input.checked ? "1" : "");
    saysWhoReads();
    state.textContent = "";
    device = input.checked ? start() : null;
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
