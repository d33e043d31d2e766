// The SSIM map of two pictures, after Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13: Gaussian window of 11×11 px, σ 1.5, on
// MATLAB's Y, C1 = (0.01·255)², C2 = (0.03·255)², biased variances. The function stands alone: a worker runs its text.

// a, b: RGBA, w×h px. Returns {values: the map (Float32, w·h), mean: over the windows that fit wholly, 5 px from the rim}.
// Near the rim the window's weights inside the picture are scaled to a sum of 1.
function ssimMap(a, b, w, h) {
  const [C1, C2, R] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2, 5];
  const line = Array.from({ length: 2 * R + 1 }, (_, i) => Math.exp(-((i - R) ** 2) / (2 * 1.5 ** 2)));
  const luma = (p, i) => 16 + (65.481 * p[i] + 128.553 * p[i + 1] + 24.966 * p[i + 2]) / 255;
  const maps = Array.from({ length: 4 }, () => new Float64Array(w * h));
  for (let i = 0; i < w * h; i++) {
    const x = luma(a, 4 * i);
    const y = luma(b, 4 * i);
    maps[0][i] = x;
    maps[1][i] = y;
    maps[2][i] = x * x + y * y;
    maps[3][i] = x * y;
  }
  // The weights of the window that lie inside the picture, for each of `length` places.
  const sums = (length) => Float64Array.from({ length }, (_, i) => {
    let sum = 0;
    for (let j = Math.max(-R, -i); j <= Math.min(R, length - 1 - i); j++) sum += line[j + R];
    return sum;
  });
  const [sumsX, sumsY] = [sums(w), sums(h)];
  const other = new Float64Array(w * h);
  for (const map of maps) {
    other.fill(0);
    for (let y = 0; y < h; y++) {
      for (let j = -R; j <= R; j++) {
        const [weight, first, last] = [line[j + R], y * w + Math.max(0, -j), y * w + Math.min(w, w - j)];
        for (let i = first; i < last; i++) other[i] += weight * map[i + j];
      }
    }
    map.fill(0);
    for (let y = 0; y < h; y++) {
      for (let j = Math.max(-R, -y); j <= Math.min(R, h - 1 - y); j++) {
        const [weight, shift] = [line[j + R], j * w];
        for (let i = y * w; i < (y + 1) * w; i++) map[i] += weight * other[i + shift];
      }
      for (let x = 0, i = y * w; x < w; x++, i++) map[i] /= sumsX[x] * sumsY[y];
    }
  }
  const values = new Float32Array(w * h);
  let [sum, count] = [0, 0];
  for (let y = 0, i = 0; y < h; y++) {
    for (let x = 0; x < w; x++, i++) {
      const both = maps[0][i] * maps[1][i];
      const squares = maps[0][i] ** 2 + maps[1][i] ** 2;
      const structure = (2 * (maps[3][i] - both) + C2) / (maps[2][i] - squares + C2);
      values[i] = ((2 * both + C1) / (squares + C1)) * structure;
      if (x < R || y < R || x >= w - R || y >= h - R) continue;
      sum += values[i];
      count++;
    }
  }
  return { values, mean: sum / count };
}

// ssimMap in a worker, so that the page stays responsive.
function ssim(...given) {
  const text = `${ssimMap}\nonmessage = ({ data }) => postMessage(ssimMap(...data));`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const worker = new Worker(url);
  const answer = new Promise((done, fail) => {
    worker.onmessage = ({ data }) => done(data);
    worker.onerror = fail;
    worker.postMessage(given);
  });
  return answer.finally(() => {
    worker.terminate();
    URL.revokeObjectURL(url);
  });
}
