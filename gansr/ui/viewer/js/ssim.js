// The SSIM map of two pictures, after Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13: Gaussian window of 11×11 px, σ 1.5, on
// MATLAB's Y, C1 = (0.01·255)², C2 = (0.03·255)², biased variances. The function stands alone: a worker runs its text.

// a, b: RGBA, w×h px. Returns {values: the map (Float32, w·h), mean: over the windows that fit wholly, 5 px from the rim}.
// Near the rim the window's weights inside the picture are scaled to a sum of 1.
function ssimMap(a, b, w, h) {
  const [C1, C2, R] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2, 5];
  const line = Array.from({ length: 2 * R + 1 }, (_, i) => Math.exp(-((i - R) ** 2) / (2 * 1.5 ** 2)));
  const total = line.reduce((sum, weight) => sum + weight, 0);
  const luma = (p, i) => 16 + (65.481 * p[i] + 128.553 * p[i + 1] + 24.966 * p[i + 2]) / 255;
  const maps = Array.from({ length: 4 }, () => new Float64Array(w * h));
  for (let i = 0; i < w * h; i++) {
    const [x, y] = [luma(a, 4 * i), luma(b, 4 * i)];
    [maps[0][i], maps[1][i], maps[2][i], maps[3][i]] = [x, y, x * x + y * y, x * y];
  }
  const blur = (from, to, count, length, step, stride) => {
    for (let k = 0; k < count; k++) {
      for (let i = 0; i < length; i++) {
        const [first, last] = [Math.max(0, i - R), Math.min(length - 1, i + R)];
        let [sum, weights] = [0, total];
        if (last - first < 2 * R) {
          weights = 0;
          for (let j = first; j <= last; j++) weights += line[j - i + R];
        }
        for (let j = first; j <= last; j++) sum += line[j - i + R] * from[k * step + j * stride];
        to[k * step + i * stride] = sum / weights;
      }
    }
  };
  const other = new Float64Array(w * h);
  for (const map of maps) {
    blur(map, other, h, w, w, 1);
    blur(other, map, w, h, 1, w);
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
