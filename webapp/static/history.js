// What was read before, in this browser's storage and nowhere else.

import { canvasOfPng, element, settings, share, word } from "./words.js";

const KEY = "glyphlite-history", MOST = 30; // entries

// The list in a <details>; `add` a result to it.
export function openHistory(details) {
  const list = details.querySelector("ol");
  details.querySelector("button").addEventListener("click", () => {
    write([]);
    show();
    details.previousElementSibling?.querySelector("button")?.focus();
  });
  details.addEventListener("toggle", show);
  show();

  function read() {
    try {
      return JSON.parse(localStorage.getItem(KEY)) ?? [];
    } catch {
      return []; // storage that is forbidden, or not ours
    }
  }

  function write(entries) {
    try {
      localStorage.setItem(KEY, JSON.stringify(entries));
    } catch {
      // forbidden or full: there is no history then
    }
  }

  async function show() {
    const entries = read();
    details.hidden = entries.length === 0;
    if (!details.open) {
      return;
    }
    const time = new Intl.DateTimeFormat(settings.language, { dateStyle: "short", timeStyle: "short" });
    list.replaceChildren(...await Promise.all(entries.map(async (one) => {
      const thumb = await canvasOfPng(one.thumb);
      thumb.setAttribute("aria-hidden", "true");
      return element("li", {}, thumb, element("b", {}, one.text),
        element("span", { className: "faint" }, `${word("sure", { share: share(one.probability) })} · ${time.format(one.at)}`));
    })));
  }

  return {
    add(result) {
      const seen = result.thumb ?? element("canvas", { width: 1, height: 1 }); // the browser cannot show it
      const thumb = seen.toDataURL("image/png").split(",")[1];
      const probability = Math.min(...result.lines.map((line) => line.probability));
      write([{ text: result.text, probability, at: Date.now(), thumb }, ...read()].slice(0, MOST));
      show();
    },
  };
}
