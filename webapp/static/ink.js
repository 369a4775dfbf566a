// A drawing becomes the network's input, as runtime/ink.py, layout.py and glyph.py make it of a photo.  What a drawing
// cannot have is left out: shadows, colour, white on black, ruled paper, frames.  Images are {data: Uint8, width, height}.

const SIDE_SHARE = 0.5; // the runtime looks for a single character's ink at 200 pixels of a longer side of 400
const SMOOTHING = [61, 134, 61]; // of 256: a Gaussian, sigma 0.8
const LEVELS = 1024; // of contrast
const BLACK_POINT = 16, PAPER = 255; // grey levels
const MAD_TO_SIGMA = 1.4826, NOISE_SIGMAS = 1.5; // as of runtime/ink.py
const MIN_CONTRAST = 15 / 255, WEAK_SHARE = 0.6, PEAK_SHARE = 0.9;
const SAMPLE_SIDE = 150; // pixels of the longer side of the sample that the threshold is found in
const MIN_PIECE = 0.5, MAX_RIVALS = 3, RIVAL_SHARE = 0.6, MIN_HEIGHT = 8; // as of runtime/layout.py
const JOIN_STROKES = 2.5, JOIN_SHARE = 0.12;
const BOX_SHARE = 20 / 28, MIN_STROKE = 1.9, GLYPH_PEAK = 0.98; // as of runtime/glyph.py
const DIAGONAL = 1.3693, STEP = 0.955; // OpenCV's distances in a 3×3 mask

// The largest character in a drawing, then what is about as large, its rivals: glyphs of `side` pixels with boxes.
// drawing: an ImageData, black on white.
export function glyphsOf(drawing, side) {
  const ink = findInk(halved(drawing));
  return ink ? mainCharacters(ink).map((one) => ({ glyph: mnist(one.soft, side, one.stroke), box: one.box })) : [];
}

// Its red channel (the drawing is grey) at half the size.
function halved({ data, width, height }) {
  const small = blank(width * SIDE_SHARE, height * SIDE_SHARE);
  for (let y = 0; y < small.height; y++) {
    for (let x = 0; x < small.width; x++) {
      const at = 4 * (2 * y * width + 2 * x), below = at + 4 * width;
      small.data[y * small.width + x] = (data[at] + data[at + 4] + data[below] + data[below + 4] + 2) >> 2;
    }
  }
  return small;
}

function blank(width, height) {
  return { data: new Uint8Array(width * height), width, height };
}

function smoothed({ data, width, height }) {
  const rows = new Uint32Array(width * height), result = blank(width, height);
  const [side, middle] = SMOOTHING;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      rows[at] = side * (data[x ? at - 1 : at] + data[x < width - 1 ? at + 1 : at]) + middle * data[at];
    }
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const sum = side * (rows[y ? at - width : at] + rows[y < height - 1 ? at + width : at]) + middle * rows[at];
      result.data[at] = (sum + 32768) >> 16;
    }
  }
  return result;
}

// {soft, mask, stroke}; null without ink.
function findInk(grey) {
  const { data, width, height } = smoothed(grey);
  const contrast = Uint16Array.from(data, (value) => even(((PAPER - value) * (LEVELS - 1)) / (PAPER + BLACK_POINT)));
  const step = Math.max(1, even(Math.max(width, height) / SAMPLE_SIDE));
  const counts = new Float64Array(LEVELS);
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step) {
      counts[contrast[y * width + x]]++;
    }
  }
  const top = counts.findLastIndex((count) => count > 0);
  const noise = MAD_TO_SIGMA * quantile(counts.with(0, 0), 0.5);
  const floor = Math.max(MIN_CONTRAST * (LEVELS - 1), Math.min(NOISE_SIGMAS * noise, 0.5 * top));
  if (top <= floor) {
    return null;
  }
  const threshold = otsu(counts, Math.floor(floor), top);
  const least = Math.max(floor, WEAK_SHARE * threshold);
  const weak = blank(width, height);
  contrast.forEach((value, at) => { weak.data[at] = value > least ? 1 : 0; });
  const { labels, pieces } = connected(weak);
  const strong = new Uint8Array(pieces.length);
  contrast.forEach((value, at) => { if (value > threshold) { strong[labels[at]] = 1; } });
  strong[0] = 0;
  const mask = blank(width, height), soft = blank(width, height);
  const inside = new Float64Array(LEVELS);
  labels.forEach((label, at) => {
    if (strong[label]) {
      mask.data[at] = 1;
      inside[contrast[at]]++;
    }
  });
  const peak = quantile(inside, PEAK_SHARE);
  mask.data.forEach((one, at) => { soft.data[at] = one ? Math.min(255, even((contrast[at] * 255) / peak)) : 0; });
  return mask.data.some(Boolean) ? { soft, mask, stroke: strokeWidth(mask) } : null;
}

function otsu(counts, floor, top) {
  let all = 0, moments = 0;
  for (let level = floor + 1; level <= top; level++) {
    all += counts[level];
    moments += counts[level] * level;
  }
  let below = 0, moment = 0, best = -1, sum = 0, number = 0;
  for (let level = floor + 1; level <= top; level++) {
    below += counts[level];
    moment += counts[level] * level;
    const spread = below * (all - below);
    const between = spread > 0 ? (moments * below - moment * all) ** 2 / spread : -1;
    if (between > best) {
      [best, sum, number] = [between, 0, 0];
    }
    if (between === best) {
      sum += level;
      number++;
    }
  }
  return sum / number;
}

// The least level that `share` of a histogram does not exceed.
function quantile(counts, share) {
  const wanted = share * counts.reduce((sum, count) => sum + count, 0);
  let reached = 0;
  for (let level = 0; level < counts.length; level++) {
    reached += counts[level];
    if (reached >= wanted) {
      return level;
    }
  }
  return 0;
}

// Pieces of a mask that touch by sides or corners: a label for each pixel, and [x, y, width, height, area] of each label.
function connected({ data, width, height }) {
  const labels = new Int32Array(data.length), pieces = [[0, 0, 0, 0, 0]], stack = [];
  for (let start = 0; start < data.length; start++) {
    if (!data[start] || labels[start]) {
      continue;
    }
    let left = width, top = height, right = -1, bottom = -1, area = 0;
    labels[start] = pieces.length;
    stack.push(start);
    while (stack.length) {
      const at = stack.pop(), x = at % width, y = (at - x) / width;
      area++;
      left = Math.min(left, x), right = Math.max(right, x), top = Math.min(top, y), bottom = Math.max(bottom, y);
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const near = v * width + u;
          if (data[near] && !labels[near]) {
            labels[near] = pieces.length;
            stack.push(near);
          }
        }
      }
    }
    pieces.push([left, top, right - left + 1, bottom - top + 1, area]);
  }
  return { labels, pieces };
}

// The pen's width that made a mask: the distances to its edge rise linearly to half of it.
function strokeWidth({ data, width, height }) {
  const w = width + 2, h = height + 2, away = new Float64Array(w * h);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      away[(y + 1) * w + x + 1] = data[y * width + x] ? Infinity : 0;
    }
  }
  const sweep = (at, one, row) => {
    away[at] = Math.min(away[at], away[at + one] + STEP, away[at + row] + STEP,
      away[at + row + 1] + DIAGONAL, away[at + row - 1] + DIAGONAL);
  };
  for (let y = 1; y <= height; y++) {
    for (let x = 1; x <= width; x++) {
      sweep(y * w + x, -1, -w);
    }
  }
  let sum = 0, number = 0;
  for (let y = height; y >= 1; y--) {
    for (let x = width; x >= 1; x--) {
      sweep(y * w + x, 1, w);
      if (away[y * w + x] > 0) {
        sum += away[y * w + x];
        number++;
      }
    }
  }
  return number ? Math.max(1, (4 * sum) / number - 2) : 0;
}

function mainCharacters({ soft, mask, stroke }) {
  const { labels, pieces } = connected(mask);
  const smallest = Math.max(4, MIN_PIECE * stroke ** 2), found = [];
  let usable = pieces.map((_, index) => index).filter((index) => index && pieces[index][4] >= smallest);
  while (usable.length && found.length <= MAX_RIVALS) {
    const first = usable.reduce((best, index) => (pieces[index][4] > pieces[best][4] ? index : best));
    const members = joined(first, usable, pieces, stroke);
    const box = union(members.map((index) => pieces[index]));
    const least = found.length ? RIVAL_SHARE * Math.max(found[0].soft.width, found[0].soft.height) : MIN_HEIGHT;
    if (Math.max(box[2], box[3]) < least) {
      break;
    }
    const part = blank(box[2], box[3]), chosen = blank(box[2], box[3]);
    for (let y = 0; y < part.height; y++) {
      for (let x = 0; x < part.width; x++) {
        const from = (box[1] + y) * soft.width + box[0] + x;
        if (members.includes(labels[from])) {
          part.data[y * part.width + x] = soft.data[from];
          chosen.data[y * part.width + x] = 1;
        }
      }
    }
    const [x, y, width, height] = box.map((value) => value / SIDE_SHARE);
    found.push({ soft: part, stroke: strokeWidth(chosen), box: { x, y, width, height } });
    usable = usable.filter((index) => !members.includes(index));
  }
  return found;
}

// A piece and those near it: a joined piece may bring the next one within reach.
function joined(first, usable, pieces, stroke) {
  const members = [first];
  for (;;) {
    const box = union(members.map((index) => pieces[index]));
    const reach = Math.max(JOIN_STROKES * stroke, JOIN_SHARE * Math.max(box[2], box[3]));
    const near = usable.filter((index) => !members.includes(index) && gap(pieces[index], box) <= reach);
    if (!near.length) {
      return members;
    }
    members.push(...near);
  }
}

function gap(a, b) {
  const across = Math.max(b[0] - a[0] - a[2], a[0] - b[0] - b[2], 0);
  const down = Math.max(b[1] - a[1] - a[3], a[1] - b[1] - b[3], 0);
  return Math.hypot(across, down);
}

function union(boxes) {
  const left = Math.min(...boxes.map((box) => box[0])), top = Math.min(...boxes.map((box) => box[1]));
  const right = Math.max(...boxes.map((box) => box[0] + box[2]));
  const bottom = Math.max(...boxes.map((box) => box[1] + box[3]));
  return [left, top, right - left, bottom - top];
}

// Scaled into a box of 20/28 of the side, aspect kept, centre of mass at the glyph's centre.
function mnist(ink, side, stroke) {
  const box = side * BOX_SHARE;
  ink = thickened(ink, stroke, Math.max(ink.width, ink.height) / box);
  const longer = Math.max(ink.width, ink.height);
  const [width, height] = [ink.width, ink.height].map((length) => Math.max(1, even((length * box) / longer)));
  const small = brightened(resampled(ink, width, height));
  let mass = 0, across = 0, down = 0;
  small.data.forEach((value, at) => {
    mass += value;
    across += value * (at % width);
    down += value * Math.floor(at / width);
  });
  const put = (moment, length) => {
    const wanted = even(side / 2 - moment / (mass || 1) - 0.5);
    return Math.min(Math.max(wanted, 0), side - length);
  };
  const left = put(across, width), top = put(down, height), glyph = new Uint8Array(side * side);
  for (let y = 0; y < height; y++) {
    glyph.set(small.data.subarray(y * width, (y + 1) * width), (top + y) * side + left);
  }
  return glyph;
}

// A thin pen's line grows, so that it is MIN_STROKE wide once the ink is `shrink` times smaller.
function thickened(ink, stroke, shrink) {
  const missing = MIN_STROKE * shrink - stroke;
  if (stroke <= 0 || missing < 1) {
    return ink;
  }
  const reach = even(missing / 2), grown = blank(ink.width + 2 * reach, ink.height + 2 * reach);
  for (let v = -reach; v <= reach; v++) {
    const half = reach ? even(reach * Math.sqrt((reach * reach - v * v) / (reach * reach))) : 0; // OpenCV's ellipse
    for (let y = 0; y < ink.height; y++) {
      for (let x = 0; x < ink.width; x++) {
        const value = ink.data[y * ink.width + x];
        if (value) {
          const row = (y + reach + v) * grown.width + x + reach;
          for (let u = -half; u <= half; u++) {
            if (grown.data[row + u] < value) {
              grown.data[row + u] = value;
            }
          }
        }
      }
    }
  }
  return grown;
}

// By area where it shrinks, linear where it grows.
function resampled(image, width, height) {
  if (image.width === width && image.height === height) {
    return image;
  }
  const shrinks = width < image.width || height < image.height;
  const weights = shrinks ? areas : neighbours;
  const columns = weights(image.width, width), rows = weights(image.height, height);
  const result = blank(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (const [v, share] of rows[y]) {
        for (const [u, part] of columns[x]) {
          sum += share * part * image.data[v * image.width + u];
        }
      }
      result.data[y * width + x] = Math.min(255, even(sum));
    }
  }
  return result;
}

// For each of `to` places, which of `from` it covers, [[index, share], …].
function areas(from, to) {
  const scale = from / to;
  if (scale < 1) {
    return neighbours(from, to, (at) => { // OpenCV's area where one side grows: linear, of its own kind
      const low = Math.floor(at * scale);
      const share = at + 1 - (low + 1) / scale;
      return [low, share <= 0 ? 0 : share - Math.floor(share)];
    });
  }
  return Array.from({ length: to }, (_, at) => {
    const start = at * scale, end = Math.min(from, start + scale), covered = [];
    for (let index = Math.floor(start); index < Math.ceil(end - 1e-3); index++) {
      const share = Math.min(end, index + 1) - Math.max(start, index);
      if (share > 1e-3) {
        covered.push([index, share / Math.min(scale, from - start)]);
      }
    }
    return covered;
  });
}

function neighbours(from, to, place = (at) => {
  const middle = (at + 0.5) * (from / to) - 0.5, low = Math.floor(middle);
  return low < 0 ? [0, 0] : [low, middle - low];
}) {
  return Array.from({ length: to }, (_, at) => {
    const [low, share] = place(at);
    return low >= from - 1 ? [[from - 1, 1]] : [[low, 1 - share], [low + 1, share]];
  });
}

// The same ink, its darkest at 255.
function brightened(image) {
  const lit = image.data.filter((value) => value > 0).sort();
  if (lit.length) {
    const peak = Math.max(1, lit[Math.floor(GLYPH_PEAK * (lit.length - 1))]);
    image.data.forEach((value, at) => { image.data[at] = Math.min(255, even((value * 255) / peak)); });
  }
  return image;
}

// To the nearest integer, halves to the even one, as Python and OpenCV do.
function even(value) {
  const low = Math.floor(value), rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2) ? low + 1 : low;
}
