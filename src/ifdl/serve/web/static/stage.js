// The picture on its stage: whole, or enlarged to stored pixels with unaltered tiles; and the JPEG grid.

const TILE = 512;
const TALLEST = 0.54; // of the window, for the whole picture

export function stage() {
  const view = document.getElementById("stage");
  const sheet = document.getElementById("sheet");
  const tiles = document.getElementById("tiles");
  const zoom = document.getElementById("zoom");
  const grid = document.getElementById("grid");
  const lines = document.getElementById("cells-on");
  const cells = document.getElementById("cells");
  const width = Number(sheet.dataset.width);
  const height = Number(sheet.dataset.height);
  const held = new Map();
  let scale = 1; // CSS pixels a stored pixel

  function fitted() {
    return Math.min(view.clientWidth / width, Math.max(240, window.innerHeight * TALLEST) / height);
  }

  function lay() {
    const times = Number(zoom.value);
    const before = scale;
    const middle = [view.scrollLeft + view.clientWidth / 2, view.scrollTop + view.clientHeight / 2];
    const whole = fitted();
    view.style.height = `${Math.ceil(height * whole)}px`;
    scale = times ? times / window.devicePixelRatio : whole;
    sheet.style.width = `${width * scale}px`;
    sheet.style.height = `${height * scale}px`;
    sheet.classList.toggle("enlarged", times > 0);
    view.scrollLeft = (middle[0] * scale) / before - view.clientWidth / 2;
    view.scrollTop = (middle[1] * scale) / before - view.clientHeight / 2;
    cells.firstElementChild.setAttribute("stroke-width", String(1 / scale));
    if (!times) {
      tiles.replaceChildren();
      held.clear();
    }
    show();
  }

  function show() {
    if (!Number(zoom.value)) return;
    const side = TILE * scale;
    const last = [Math.ceil(width / TILE) - 1, Math.ceil(height / TILE) - 1];
    const from = [Math.floor(view.scrollLeft / side), Math.floor(view.scrollTop / side)];
    const to = [
      Math.min(last[0], Math.floor((view.scrollLeft + view.clientWidth) / side)),
      Math.min(last[1], Math.floor((view.scrollTop + view.clientHeight) / side)),
    ];
    for (let row = from[1]; row <= to[1]; row += 1) {
      for (let column = from[0]; column <= to[0]; column += 1) {
        const name = `${column}-${row}`;
        if (held.has(name)) continue;
        const tile = new Image();
        tile.alt = "";
        tile.draggable = false;
        tile.src = `${sheet.dataset.base}/tiles/${name}.png`;
        tile.style.left = `${(100 * column * TILE) / width}%`;
        tile.style.top = `${(100 * row * TILE) / height}%`;
        tile.style.width = `${(100 * Math.min(TILE, width - column * TILE)) / width}%`;
        tile.style.height = `${(100 * Math.min(TILE, height - row * TILE)) / height}%`;
        held.set(name, tile);
        tiles.append(tile);
      }
    }
  }

  zoom.addEventListener("change", lay);
  view.addEventListener("scroll", show, { passive: true });
  window.addEventListener("resize", lay);
  grid.addEventListener("change", () => lines.toggleAttribute("hidden", !grid.checked));
  lay();
  return {
    view,
    sheet,
    width,
    height,
    scale: () => scale,
    gridAt(x, y) {
      cells.setAttribute("x", String(x));
      cells.setAttribute("y", String(y));
    },
  };
}
