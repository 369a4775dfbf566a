// Sends an image as soon as it is chosen and puts the answer in place; without it the form posts and the page reloads.

const PREVIEW_SIDE = 640; // pixels of the longer side
const form = document.querySelector("form");
const photo = document.querySelector("#photo");
const inputs = [...form.querySelectorAll("input[type=file]")];
let latest = 0; // an answer that a later image has overtaken is dropped

document.documentElement.classList.add("script"); // the style sheet then hides what only a page without it needs

for (const input of inputs) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    inputs.filter((other) => other !== input).forEach((other) => { other.value = ""; });
    if (file) {
      preview(file);
      recognise(file);
    }
  });
}

async function preview(file) {
  try {
    const image = await createImageBitmap(file);
    const scale = Math.min(1, PREVIEW_SIDE / Math.max(image.width, image.height));
    photo.width = Math.max(1, Math.round(image.width * scale));
    photo.height = Math.max(1, Math.round(image.height * scale));
    photo.getContext("2d").drawImage(image, 0, 0, photo.width, photo.height);
    photo.hidden = false;
  } catch {
    photo.hidden = true; // not an image that this browser shows; the server says what it makes of it
  }
}

async function recognise(file) {
  const turn = ++latest;
  const answer = document.querySelector("#answer");
  answer.setAttribute("aria-busy", "true");
  let content;
  try {
    content = await ask(file);
  } catch (error) {
    content = document.createElement("p");
    content.className = "complaint";
    content.textContent = error.message;
  }
  if (turn === latest) {
    answer.replaceChildren(...(content.id === "answer" ? content.childNodes : [content]));
    answer.setAttribute("aria-busy", "false");
    answer.scrollIntoView({ block: "nearest" });
  }
}

// The `#answer` of the page that the server answers the form with.
async function ask(file) {
  if (file.size > Number(form.dataset.bodyLimit)) {
    throw new Error(`${(file.size / 2 ** 20).toFixed(1)} MiB; wanted at most ${form.dataset.bodyLimit / 2 ** 20}`);
  }
  const body = new FormData();
  body.append("file", file, file.name || "image");
  const response = await fetch(form.action, { method: "POST", body }).catch(() => {
    throw new Error("the server does not answer");
  });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const answer = page.querySelector("#answer");
  if (!answer) {
    throw new Error(`the server answered ${response.status}`);
  }
  return answer;
}
