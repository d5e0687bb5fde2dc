// What is laid over the picture: each with its opacity, and one line to swipe all of it against the original.

const token = document.querySelector('meta[name="page-token"]').content;
const seen = new Set();

// A case's log says when a layer was first laid over the picture: from then on the marks lead the eye.
function looked(sheet, layer) {
  if (!document.getElementById("main").dataset.case || seen.has(layer)) return;
  seen.add(layer);
  fetch(`${sheet.dataset.base}/looked`, { method: "POST", headers: { "X-Ifdl-Token": token }, body: layer }).catch(() => {});
}

export function layers(stage) {
  const group = document.querySelector("#layers .switches");
  const over = document.getElementById("over");
  const edge = document.getElementById("edge");
  const swipe = document.getElementById("swipe");
  if (group.dataset.awake) return;
  group.dataset.awake = "yes";
  stage.gridAt(group.dataset.gridX, group.dataset.gridY);

  for (const box of group.querySelectorAll("input[data-layer]")) {
    const row = box.closest("li");
    const beside = row.querySelector(".with");
    const opacity = beside.querySelector("input[type=range]");
    let image = null;
    box.addEventListener("change", () => {
      beside.hidden = !box.checked;
      if (box.checked && !image) {
        image = new Image();
        image.alt = `Layer over the picture: ${row.querySelector("label").firstChild.textContent.trim()}`;
        image.draggable = false;
        image.src = `${stage.sheet.dataset.base}/layers/${box.dataset.layer}.png`;
        image.style.opacity = String(Number(opacity.value) / 100);
      }
      if (box.checked) {
        over.append(image);
        looked(stage.sheet, box.dataset.layer);
      } else if (image) image.remove();
      draw();
    });
    opacity.addEventListener("input", () => {
      image.style.opacity = String(Number(opacity.value) / 100);
    });
  }

  const mask = document.getElementById("mask");
  const row = group.querySelector('input[data-layer="mask"]');
  if (row) {
    mask.disabled = false;
    mask.addEventListener("change", () => {
      if (row.checked !== mask.checked) row.click();
    });
    row.addEventListener("change", () => {
      mask.checked = row.checked;
    });
  } else document.getElementById("mask-label").textContent = "Mask (nothing marked)";

  function draw() {
    const share = Number(swipe.value);
    over.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    edge.style.left = `${share}%`;
    edge.hidden = share >= 100 || !over.childElementCount;
  }

  swipe.addEventListener("input", draw);
}
