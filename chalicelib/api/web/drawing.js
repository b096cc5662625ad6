// ---- drawing a digit ----------------------------------------------------------------------------------------

const PEN_PX = 18, STEP_PX = 14;
const paper = $("canvas"), ink = paper.getContext("2d");
const pen = { x: paper.width / 2, y: paper.height * 0.2, down: false };
let drawing = false, drawn = false, settling = 0;

function wipe() {
  ink.fillStyle = "#fff";
  ink.fillRect(0, 0, paper.width, paper.height);
  ink.strokeStyle = "#000";
  ink.lineWidth = PEN_PX;
  ink.lineCap = ink.lineJoin = "round";
  clearTimeout(settling);
  drawn = drawing = pen.down = false;
  showPen();
}

function line(x0, y0, x1, y1) {
  drawn = true;
  ink.beginPath();
  ink.moveTo(x0, y0);
  ink.lineTo(x1, y1);
  ink.stroke();
}

function at(event) {
  const box = paper.getBoundingClientRect();
  return [(event.clientX - box.left) * paper.width / box.width, (event.clientY - box.top) * paper.height / box.height];
}

function moveTo(x, y, draws) {
  if (draws) line(pen.x, pen.y, x, y);
  [pen.x, pen.y] = [x, y];
}

paper.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  paper.setPointerCapture(event.pointerId);
  clearTimeout(settling);
  pen.down = false;
  $("pen").hidden = true;
  drawing = true;
  [pen.x, pen.y] = at(event);
  moveTo(pen.x, pen.y, true);
});
paper.addEventListener("pointermove", (event) => {
  if (!drawing) return;
  const steps = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const step of steps.length ? steps : [event]) moveTo(...at(step), true);
});
for (const end of ["pointerup", "pointercancel"]) {
  paper.addEventListener(end, () => {
    if (drawing) settling = setTimeout(recognise, 600);  // a digit may have a second stroke
    drawing = false;
  });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
paper.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (arrow) {
    const [x, y] = [pen.x + arrow[0] * STEP_PX, pen.y + arrow[1] * STEP_PX];
    moveTo(Math.min(Math.max(x, PEN_PX), paper.width - PEN_PX), Math.min(Math.max(y, PEN_PX), paper.height - PEN_PX), pen.down);
  } else if (event.key === " ") {
    pen.down = !pen.down;
    if (pen.down) moveTo(pen.x, pen.y, true);
    $("summary").replaceChildren(element("span", "soft", pen.down ? "Pen down" : "Pen up"));
  } else if (event.key === "Enter") {
    recognise();
  } else if (event.key === "Delete" || event.key === "Backspace") {
    wipe();
  } else {
    return;
  }
  event.preventDefault();
  showPen(true);
});
paper.addEventListener("blur", () => { $("pen").hidden = true; });

function showPen(visible) {
  $("pen").hidden = !visible;
  $("pen").classList.toggle("down", pen.down);
  $("pen").style.left = 100 * pen.x / paper.width + "%";
  $("pen").style.top = 100 * pen.y / paper.height + "%";
}

function recognise() {
  clearTimeout(settling);
  pen.down = false;
  if (!current) start();
  else if (drawn) classify(async () => ({ blob: await toBlob(paper, "image/png") }));
  else showProblem(new Problem("Nothing is drawn yet."));
}

$("recognise").addEventListener("click", recognise);
$("clear").addEventListener("click", () => { wipe(); forget(); paper.focus(); });
