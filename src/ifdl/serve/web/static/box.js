// A box on the picture, by mouse, finger, keys or numbers, or a lasso by mouse or finger, and the question whether that
// part differs.

const token = document.querySelector('meta[name="page-token"]').content;

export function box(stage) {
  const { view, sheet, width, height } = stage;
  const form = document.getElementById("part");
  const asked = document.getElementById("asked");
  const button = document.getElementById("draw");
  const shape = document.getElementById("box");
  const lasso = document.getElementById("lasso");
  const loop = document.getElementById("loop");
  const inputs = ["x", "y", "w", "h"].map((name) => document.getElementById(`box-${name}`));
  let drawing = ""; // "box", "loop" or neither
  let corners = []; // of the lasso
  let from = null;
  let now = null; // [x, y, width, height]

  function put(x, y, w, h) {
    const left = Math.max(0, Math.min(Math.round(x), width - 1));
    const top = Math.max(0, Math.min(Math.round(y), height - 1));
    now = [left, top, Math.max(1, Math.min(Math.round(w), width - left)), Math.max(1, Math.min(Math.round(h), height - top))];
    inputs.forEach((input, n) => {
      input.value = String(now[n]);
    });
    draw();
  }

  function draw() {
    shape.toggleAttribute("hidden", !now);
    if (!now) return;
    for (const rect of shape.children) {
      ["x", "y", "width", "height"].forEach((name, n) => rect.setAttribute(name, String(now[n])));
    }
  }

  function at(event) {
    const place = sheet.getBoundingClientRect();
    const scale = stage.scale();
    return [
      Math.max(0, Math.min(width, (event.clientX - place.left) / scale)),
      Math.max(0, Math.min(height, (event.clientY - place.top) / scale)),
    ];
  }

  function mode(what) {
    drawing = what;
    button.setAttribute("aria-pressed", String(what === "box"));
    lasso.setAttribute("aria-pressed", String(what === "loop"));
    view.classList.toggle("drawing", Boolean(what));
    if (what === "box" && !now) put(width * 0.375, height * 0.375, width / 4, height / 4);
    if (what) {
      shape.toggleAttribute("hidden", what === "loop");
      loop.toggleAttribute("hidden", what === "box");
      view.focus({ preventScroll: true });
    }
  }

  button.addEventListener("click", () => mode(drawing === "box" ? "" : "box"));
  lasso.addEventListener("click", () => mode(drawing === "loop" ? "" : "loop"));

  function rope() {
    const text = corners.map((corner) => corner.map(Math.round).join(",")).join(" ");
    for (const polygon of loop.children) polygon.setAttribute("points", text);
    return text;
  }

  sheet.addEventListener("pointerdown", (event) => {
    if (!drawing || event.button) return;
    event.preventDefault();
    sheet.setPointerCapture(event.pointerId);
    from = at(event);
    corners = [from];
  });
  sheet.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = at(event);
    if (drawing === "loop") {
      const last = corners[corners.length - 1];
      const far = Math.hypot(to[0] - last[0], to[1] - last[1]) * stage.scale();
      if (far >= 3 && corners.length < 1000) corners.push(to);
      rope();
    } else put(Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
  });
  sheet.addEventListener("pointerup", () => {
    if (!from) return;
    from = null;
    if (drawing === "loop" && corners.length > 2) ask(rope());
    else if (drawing === "box" && now && now[2] > 3 && now[3] > 3) form.requestSubmit();
  });
  sheet.addEventListener("pointercancel", () => {
    from = null;
  });

  view.addEventListener("keydown", (event) => {
    if (event.key === "Escape") mode("");
    if (drawing !== "box" || !now) return;
    const step = Math.max(1, Math.round(8 / Math.min(1, stage.scale())));
    const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const way = ways[event.key];
    if (way && event.shiftKey) put(now[0], now[1], now[2] + way[0], now[3] + way[1]);
    else if (way) put(Math.min(now[0] + way[0], width - now[2]), Math.min(now[1] + way[1], height - now[3]), now[2], now[3]);
    else if (event.key === "Enter") form.requestSubmit();
    else return;
    event.preventDefault();
  });

  for (const input of inputs) {
    input.addEventListener("input", () => {
      const given = inputs.map((i) => Number(i.value));
      if (inputs.every((i) => i.value !== "") && given[2] > 0 && given[3] > 0) {
        now = given;
        draw();
      }
    });
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    shape.removeAttribute("hidden");
    loop.setAttribute("hidden", "");
    ask(inputs.map((input) => input.value).join(","));
  });

  async function ask(part) {
    asked.textContent = "Asking every test…";
    try {
      const answer = await fetch(`${sheet.dataset.base}/region`, {
        method: "POST",
        headers: { "X-Ifdl-Token": token, "Content-Type": "text/plain" },
        body: part,
      });
      if (answer.ok) asked.innerHTML = await answer.text(); // rendered and escaped by the page's templates
      else asked.textContent = (await answer.json()).error.reason;
    } catch {
      asked.textContent = "The service does not answer.";
    }
    asked.scrollIntoView({ block: "nearest" });
  }
}
