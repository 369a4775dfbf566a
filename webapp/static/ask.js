// The server, asked of an image.

import { settings, word } from "./words.js";

// What a path answers of {name, image}.  Throws what a person is told; `english` where the server said it.
export async function ask(path, { name, image }) {
  if (image.size > settings.bodyLimit) {
    const size = (image.size / 2 ** 20).toFixed(1);
    throw new Error(word("too_large", { name, size, most: settings.bodyLimit / 2 ** 20 }));
  }
  const body = await image.arrayBuffer().catch(() => { // a folder, or a file that was moved since
    throw new Error(word("file_failed", { name }));
  });
  const response = await fetch(path, { method: "POST", body, headers: imageType(image) }).catch(() => {
    throw new Error(word("offline"));
  });
  const found = await response.json().catch(() => ({}));
  if (!response.ok) {
    const told = found.detail ? Object.assign(new Error(found.detail), { english: true }) : null;
    throw told ?? new Error(word("failed", { status: response.status }));
  }
  return found;
}

// The type that says that the body is the image itself; what it is, the server sees.
const imageType = (image) => ({ "Content-Type": image.type.startsWith("image/") ? image.type : "application/octet-stream" });
