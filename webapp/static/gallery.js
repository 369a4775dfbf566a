// The results of the images that came together: a list to choose from, the one that is open, and copies of them all.

import { copies, copy, showResult } from "./result.js";
import { canvasOf, element, word } from "./words.js";

const PICTURE_SIDE = 1200; // pixels of the longer side that a picture is shown with at most
const THUMB_SIDE = 96; // pixels: all that is kept of a picture, since those of many photos fill a browser's memory

// A gallery of `total` results, in a root from the first one on; `add` a result to it, and its picture.
export function openGallery(root, total, say) {
  const results = [];
  const list = element("ol", { className: "images", "aria-label": word("results"), hidden: total === 1 });
  const place = element("div");
  const ways = element("div", { className: "tools", hidden: true },
    ...Object.entries(copies).map(([name, made]) => element("button", {
      type: "button", className: "small quiet", onclick: async () => {
        await copy(made(results));
        say(word("copied"));
      },
    }, word(name))));
  let opened = null, chosen = false; // by the person: a later one does not take its place then

  async function open(result, picture) {
    opened = result;
    list.querySelectorAll("button").forEach((button, at) => button.setAttribute("aria-pressed", String(results[at] === result)));
    const shown = showResult({ ...result, picture: picture === undefined ? await pictureOf(result) : picture });
    if (opened === result) {
      place.replaceChildren(shown);
    }
  }

  return {
    add(result, picture) {
      results.push(result);
      list.append(element("li", {}, element("button", {
        type: "button", "aria-pressed": "false", onclick: () => {
          chosen = true;
          open(result);
        },
      }, result.thumb, element("b", {}, result.text ?? "–"), element("span", { className: "faint" }, result.name))));
      ways.hidden &&= Boolean(result.problem);
      if (!list.isConnected) {
        root.replaceChildren(list, place, ways);
      }
      if (!chosen && !place.matches(":focus-within")) {
        open(result, picture);
      }
    },
  };
}

// What is shown of a result's image, a canvas that tells the file's own width and height, which boxes are told in.  null
// where the browser cannot show it, or not as the server read it: by EXIF it turns photos, but no WebP.
export async function pictureOf({ image, drawing, width, height }) {
  if (drawing) {
    return drawing;
  }
  const bitmap = await createImageBitmap(image).catch(() => null);
  if (!bitmap || (width && (bitmap.width !== width || bitmap.height !== height))) {
    return null;
  }
  const file = { fileWidth: bitmap.width, fileHeight: bitmap.height };
  const picture = Object.assign(canvasOf(bitmap, PICTURE_SIDE), file);
  bitmap.close();
  return picture;
}

export const thumbOf = (picture) => picture && canvasOf(picture, THUMB_SIDE);
