// ---- how pictures come in: one gets the whole answer, several a gallery -------------------------------------

const MOST = 1000;  // pictures at once; more are a job for the batch
let file = null;

// `given` are files with the names by which they are shown: `{ file, name }`.
function take(given) {
  if (!given.length) return;
  setMode("picture");
  if (given.length > 1 || tiles.length) addTiles(given.slice(0, Math.max(0, MOST - tiles.length)), given.length);
  else file = given[0].file;
  if (!current) start();  // the models did not load before: perhaps they do now
  else if (tiles.length) pump();
  else classifyFile();
}

function classifyFile() {
  const given = file;
  classify(async () => {
    const picture = await prepared(given);
    if (given === file) preview(picture.shown, sentence(picture.words));
    return picture;
  });
}

function preview(blob, words) {
  URL.revokeObjectURL($("preview").src);
  $("preview").hidden = !blob;
  $("invitation").hidden = Boolean(blob);
  if (blob) $("preview").src = URL.createObjectURL(blob); else $("preview").removeAttribute("src");
  $("choose").textContent = tiles.length ? "Add pictures" : "Choose others";
  $("sent").textContent = words;
}

$("preview").addEventListener("error", () => { $("preview").hidden = true; });  // of a kind that this browser cannot show

const named = (files) => [...files].map((one) => ({ file: one, name: one.webkitRelativePath || one.name }));

for (const [button, input] of [["choose", "file"], ["camera", "photo"]]) {
  $(button).addEventListener("click", () => $(input).click());
  $(input).addEventListener("change", () => { take(named($(input).files)); $(input).value = ""; });
}
addEventListener("paste", (event) => take(named(event.clipboardData.files)));
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("over"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
addEventListener("drop", async (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const files = named(event.dataTransfer.files);  // now: the list is empty after the first pause
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  try {
    take(entries.some((entry) => entry.isDirectory) ? await picturesOf(entries) : files);
  } catch (error) {
    showProblem(new Problem("The folder cannot be read: " + error.message));
  }
});

// The pictures of folders, at any depth; hidden files and those that are no pictures by their names are left out.
async function picturesOf(entries) {
  const found = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory) {
      found.push(...await picturesOf(await childrenOf(entry.createReader())));
    } else {
      const one = await new Promise((resolve, reject) => entry.file(resolve, reject));
      if (one.type.startsWith("image/")) found.push({ file: one, name: entry.fullPath.slice(1) });
    }
    if (found.length > MOST) break;
  }
  return found;
}

async function childrenOf(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));  // at most 100
    if (!some.length) return all.sort((a, b) => a.name < b.name ? -1 : 1);
    all.push(...some);
  }
}
