const MAX_BYTES = 3400000;  // in JSON, of which a REST API makes base64 again, more would not pass Lambda's 6 MB
const KEEP_BYTES = 300000, KEEP_PX = 4000000;  // up to here it is sent as it is: the answer is that of curl
const SERVED = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"];
const QUALITY = 0.92;
const OVERSAMPLING = 2;     // pixels kept for each one that the model sees, as the server keeps them itself
const LONGEST_PX = 4096;

// What is sent of a file (`blob`; `upload`: it is too large for a request), in words, and a small picture of it if
// `edge`, its longest side in px, is given. The whole picture is decoded once, and let go before this returns.
async function prepared(given, edge) {
  if (!given.size) throw new Problem("The file " + quoted(given.name) + " is empty.");
  const began = performance.now();
  const bitmap = await decoded(given);
  const fits = given.size <= MAX_BYTES, size = bytes(given.size);
  const whole = fits ? "sent as it is: " + size : "uploaded as it is: " + size + ", and deleted after a day";
  if (!bitmap) {  // not for this browser; the server may know it, or will say what is wrong with it
    if (!fits && !await takesUploads()) {
      throw new Problem("This browser cannot open " + quoted(given.name) + ", and at " + size + " it is too large to send as it is.");
    }
    return { blob: given, upload: !fits, shown: null, words: sentence(whole) };
  }
  try {
    const { width, height } = bitmap, before = width + " × " + height;
    const small = edge ? await toBlob(painted(bitmap, ...within(width, height, edge)), "image/jpeg") : null;
    if (SERVED.includes(given.type) && await staysWhole(bitmap, given, fits)) {
      return { blob: given, upload: !fits, shown: given, small, words: before + " pixels, " + whole };
    }
    const pixels = target(width, height);
    const blob = await toBlob(painted(bitmap, ...pixels), "image/jpeg");
    const words = before + " to " + pixels.join(" × ") + " pixels, " + size + " to " + bytes(blob.size)
      + " in " + milliseconds(performance.now() - began);
    return { blob, upload: false, shown: blob, small, words };
  } finally {
    bitmap.close();
  }
}

// Models that average all pixels give the same answer for a picture that was scaled down; for others every pixel counts.
async function staysWhole({ width, height }, given, fits) {
  const averaging = inputs().every((input) => (input.resize || "bilinear") === "bilinear");
  if (averaging) return fits && (target(width, height)[0] === width || width * height <= KEEP_PX && given.size <= KEEP_BYTES);
  return fits || takesUploads();
}

async function decoded(given) {
  try {
    return await createImageBitmap(given, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
}

// Width and height in px that are enough for every model which is asked.
function target(width, height) {
  const shorter = Math.max(...inputs().map((input) => Math.ceil(OVERSAMPLING * Math.max(input.width, input.height) / input.crop)));
  const scale = Math.min(1, shorter / Math.min(width, height), LONGEST_PX / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

function within(width, height, edge) {
  const scale = Math.min(1, edge / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

function painted(bitmap, width, height) {
  const canvas = element("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";  // what the server, too, shows through transparent pixels
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return canvas;
}

function toBlob(canvas, type) {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => blob ? resolve(blob) : reject(new Problem("The picture cannot be scaled down in this browser.")), type, QUALITY);
  });
}
