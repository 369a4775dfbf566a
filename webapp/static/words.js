// The page's settings and its words, which the server sends in the page; and numbers as the language writes them.

export const settings = JSON.parse(document.querySelector("#settings").textContent);

// A string of the page's language, with its {values} filled in.
export function word(key, values = {}) {
  return settings.strings[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

const percent = new Intl.NumberFormat(settings.language, {
  style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1,
});

// 0.9834 as 98.3 %.
export const share = (value) => percent.format(value);

// An element with properties, attributes of a `-` in their name, listeners of an `on` before it, and what is in it.
export function element(tag, properties = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) {
      made.addEventListener(name.slice(2), value);
    } else if (name.includes("-") || name === "role" || name === "lang" || name === "scope") {
      made.setAttribute(name, value);
    } else {
      made[name] = value;
    }
  }
  made.append(...content.filter((one) => one !== null && one !== undefined));
  return made;
}

// A canvas with a picture in it, at most `side` pixels long.  (Not an <img>: the page's policy has no blob: or data:.)
export function canvasOf(picture, side = Infinity) {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const canvas = element("canvas", {
    width: Math.max(1, Math.round(picture.width * scale)), height: Math.max(1, Math.round(picture.height * scale)),
  });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// A canvas with the PNG that base64 holds.
export async function canvasOfPng(base64) {
  return canvasOf(await createImageBitmap(pngBlob(base64)));
}

// The PNG that base64 holds.
export function pngBlob(base64) {
  return new Blob([Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0))], { type: "image/png" });
}
