// A ZIP of stored (not compressed) files: PNG is compressed already. PKWARE's APPNOTE.TXT 6.3, sections 4.3.7 to 4.3.16.
// Numbers are little-endian. No file and no archive reaches 4 GB, so ZIP64 is not needed.

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

// [value, bytes] pairs → the bytes.
function packed(...fields) {
  return Uint8Array.from(fields.flatMap(([value, bytes]) => Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) & 255)));
}

function dosTime(when) {
  const t = new Date(when);
  const time = (t.getHours() << 11) | (t.getMinutes() << 5) | (t.getSeconds() >> 1);
  return [[time, 2], [((t.getFullYear() - 1980) << 9) | ((t.getMonth() + 1) << 5) | t.getDate(), 2]];
}

// A ZIP, as a Blob, of [{ name, when, blob }].
async function zipOf(files) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const { name, when, blob } of files) {
    const title = new TextEncoder().encode(name);
    const crc = crc32(new Uint8Array(await blob.arrayBuffer()));
    // version 2.0, names in UTF-8, stored; time, date, checksum, both sizes, length of the name, no extra field
    const same = [[20, 2], [0x0800, 2], [0, 2], ...dosTime(when), [crc, 4], [blob.size, 4], [blob.size, 4], [title.length, 2], [0, 2]];
    const head = packed([0x04034b50, 4], ...same);
    parts.push(head, title, blob);
    directory.push(packed([0x02014b50, 4], [20, 2], ...same, [0, 2], [0, 2], [0, 2], [0, 4], [at, 4]), title);
    at += head.length + title.length + blob.size;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = packed([0x06054b50, 4], [0, 4], [files.length, 2], [files.length, 2], [length, 4], [at, 4], [0, 2]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}
