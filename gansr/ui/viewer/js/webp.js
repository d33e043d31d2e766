// An animated WebP, written here from frames that the browser compresses: RIFF container with VP8X, ANIM and ANMF chunks,
// https://developers.google.com/speed/webp/docs/riff_container. Numbers are little-endian.

function number(n, bytes) {
  return Array.from({ length: bytes }, (_, i) => (n >>> (8 * i)) & 255);
}

// One chunk: four letters, the length, the content, and a zero if the length is odd.
function riff(name, ...parts) {
  const bytes = parts.map((part) => Uint8Array.from(part));
  const length = bytes.reduce((sum, part) => sum + part.length, 0);
  const chunk = new Uint8Array(8 + length + (length % 2));
  chunk.set([...name].map((letter) => letter.charCodeAt(0)));
  chunk.set(number(length, 4), 4);
  let at = 8;
  for (const part of bytes) {
    chunk.set(part, at);
    at += part.length;
  }
  return chunk;
}

// The chunks of a still WebP: [name, the whole chunk with its head].
function chunks(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const found = [];
  for (let at = 12; at + 8 <= file.length; ) {
    const name = String.fromCharCode(...file.subarray(at, at + 4));
    const length = view.getUint32(at + 4, true);
    found.push([name, file.subarray(at, at + 8 + length + (length % 2))]);
    at += 8 + length + (length % 2);
  }
  return found;
}

// The bytes of an endless animation of still WebP files of w×h px, each shown for `ms`.
function animatedWebp(stills, w, h, ms) {
  const whole = [...number(w - 1, 3), ...number(h - 1, 3)];
  const frames = stills.map((still) => {
    const image = chunks(still).filter(([name]) => ["ALPH", "VP8 ", "VP8L"].includes(name));
    const [corner, replace] = [number(0, 6), [2]]; // 2: draw over what was there, without blending
    return riff("ANMF", corner, whole, number(ms, 3), replace, ...image.map(([, chunk]) => chunk));
  });
  const ANIMATED = number(2, 4); // flags and three reserved bytes
  return riff("RIFF", [87, 69, 66, 80], riff("VP8X", ANIMATED, whole), riff("ANIM", number(0, 4), number(0, 2)), ...frames);
}

// True if every still is of the lossless kind.
function lossless(stills) {
  return stills.every((still) => chunks(still).some(([name]) => name === "VP8L"));
}
