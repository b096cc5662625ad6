// Behind API Gateway the page lies below a stage ("/api/", or "/api" without the slash), so that no path is absolute.
const root = location.pathname.replace(/\/?$/, "/");
const PASSING = [429, 502, 503, 504];  // statuses of what may have passed a moment later
const TRIES = 3, FIRST_WAIT_MS = 1000, LONGEST_WAIT_MS = 20000;
const GATEWAY = {  // what answers for the app in Lambda has no Message of the app's own
  403: "The server refuses this request.",
  413: "The picture is too large for the server.",
  429: "Too many requests at the moment. Wait a little, then try again.",
  502: "The server failed. Try again.",
  503: "The server is not available at the moment. Try again.",
  504: "The server took too long, perhaps because it was loading the model. Try again: it is ready then.",
};

async function ask(path, options) {
  const began = performance.now();
  let response, text, body = null;
  try {
    response = await fetch(root + path, options);
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server cannot be reached. Check your connection, then try again.");
  }
  const roundTrip = performance.now() - began;
  try { body = JSON.parse(text); } catch { /* a gateway's page; said in words below */ }
  if (response.ok && body) return [body, roundTrip];
  const id = response.headers.get("x-request-id") || response.headers.get("x-amzn-requestid");
  const words = body && body.Message || GATEWAY[response.status] || "The server answered with status " + response.status + ".";
  const wait = parseFloat(response.headers.get("retry-after"));
  throw new Problem(words, { id: body && body.request_id || id, status: response.status, waitMs: wait >= 0 ? 1000 * wait : undefined });
}

const post = (path, body, signal) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

// What a model says of a picture that was prepared, and the round trip in milliseconds. "" is whichever the server takes.
async function predict(picture, model, signal) {
  const wish = model ? { model, top_k: Math.min(5, cardOf(model).output.classes) } : {};
  return post("predict", { image: await sendable(picture, signal), ...wish }, signal);
}

// The same, tried again while what refuses it may pass.
async function patiently(picture, model, signal) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await predict(picture, model, signal);
    } catch (error) {
      if (tried === TRIES || !PASSING.includes(error.status)) throw error;
      const wait = error.waitMs ?? FIRST_WAIT_MS * 2 ** (tried - 1) * (0.5 + Math.random());
      await waitFor(Math.min(wait, LONGEST_WAIT_MS), signal);
    }
  }
}

function waitFor(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal.removeEventListener("abort", stop); resolve(); }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}

// ---- what is too large for a request: uploaded to the stage's bucket, and named -----------------------------

let contract = null;

async function takesUploads() {
  contract ||= ask("openapi.json", {}).then(([body]) => "/uploads" in body.paths, () => { contract = null; return false; });
  return contract;
}

// What stands in the field "image": the bytes themselves, or where they are. A picture is uploaded once for all models.
async function sendable(picture, signal) {
  if (!picture.upload) return asDataUrl(picture.blob);
  picture.uploaded ||= upload(picture.blob, signal).catch((error) => { picture.uploaded = null; throw error; });
  return picture.uploaded;
}

async function upload(blob, signal) {
  const type = blob.type ? { content_type: blob.type } : {};
  const [{ image, upload: { url, fields } }] = await post("uploads", { bytes: blob.size, ...type }, signal);
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", blob);  // S3 reads nothing that comes after the file
  let response;
  try {
    response = await fetch(url, { method: "POST", body: form, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The picture cannot be uploaded. Check your connection, then try again.");
  }
  if (!response.ok) throw new Problem("S3 refused the upload with status " + response.status + ". Try again.", { status: response.status });
  return image;
}

function asDataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Problem("The picture cannot be read."));
    reader.readAsDataURL(blob);
  });
}
