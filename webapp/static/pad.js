// The pad that is drawn on: strokes as a pointer makes them, the harder it presses the wider, each of which can be undone.

export const WIDTH = 400, HEIGHT = 300; // pixels of the drawing that is read, however large it is shown
const PEN = 11; // pixels of those: the width of a stroke of usual pressure
const PAUSE_MS = 500; // without a stroke until the drawing is read

// A pad in an element with a canvas and the buttons #undo and #clear; `done` is called when the pen has rested.
export function openPad(root, done) {
  const canvas = root.querySelector("canvas");
  const undo = root.querySelector("#undo"), clear = root.querySelector("#clear");
  const strokes = []; // each a list of {x, y, width}
  let current = null, pen = null, timer = 0; // the stroke that is drawn, and the pointer that draws it

  function paint() {
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    const width = Math.round(canvas.clientWidth * ratio);
    if (width && canvas.width !== width) {
      canvas.width = width;
      canvas.height = Math.round((width * HEIGHT) / WIDTH);
    }
    draw(canvas, strokes, canvas.width / WIDTH);
    root.classList.toggle("empty", strokes.length === 0);
    undo.disabled = clear.disabled = strokes.length === 0;
  }

  function add(event) {
    const place = canvas.getBoundingClientRect();
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) {
      // a mouse and most fingers report 0.5, which is the pen's own width
      const pressure = one.pointerType === "mouse" ? 0.5 : one.pressure || 0.5;
      current.push({
        x: ((one.clientX - place.left) / place.width) * WIDTH,
        y: ((one.clientY - place.top) / place.height) * HEIGHT,
        width: PEN * (0.5 + pressure),
      });
    }
    paint();
  }

  function rest() {
    clearTimeout(timer);
    timer = setTimeout(() => done(strokes.length > 0), PAUSE_MS);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || current) {
      return;
    }
    event.preventDefault();
    pen = event.pointerId; // a palm or a second finger beside it draws nothing
    canvas.setPointerCapture(event.pointerId);
    clearTimeout(timer);
    strokes.push(current = []);
    add(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (current && event.pointerId === pen) {
      add(event);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      if (current && event.pointerId === pen) {
        current = null;
        rest();
      }
    });
  }

  function remove(count) {
    strokes.splice(-count, count);
    paint();
    rest();
  }
  undo.addEventListener("click", () => remove(1));
  clear.addEventListener("click", () => remove(strokes.length));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, dialog");
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && strokes.length && !typing) {
      event.preventDefault();
      remove(1);
    }
  });
  new ResizeObserver(paint).observe(canvas);
  root.hidden = false;
  paint();

  return {
    // The drawing, WIDTH × HEIGHT, black on white.
    picture() {
      const small = document.createElement("canvas");
      small.width = WIDTH;
      small.height = HEIGHT;
      draw(small, strokes, 1);
      return small;
    },
  };
}

function draw(canvas, strokes, scale) {
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.strokeStyle = pen.fillStyle = "#000";
  pen.lineCap = pen.lineJoin = "round";
  for (const points of strokes) {
    const [first] = points;
    pen.beginPath();
    pen.arc(first.x * scale, first.y * scale, (first.width * scale) / 2, 0, 2 * Math.PI);
    pen.fill();
    for (let i = 1; i < points.length;) { // one path for a run of one width: its edge is smooth
      const { width } = points[i];
      pen.beginPath();
      pen.lineWidth = width * scale;
      pen.moveTo(points[i - 1].x * scale, points[i - 1].y * scale);
      for (; i < points.length && points[i].width === width; i++) {
        pen.lineTo(points[i].x * scale, points[i].y * scale);
      }
      pen.stroke();
    }
  }
}
