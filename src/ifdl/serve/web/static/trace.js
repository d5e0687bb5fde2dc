// The Trace tab: asks the archive once the page is there, and lets both pictures be swiped.

const token = document.querySelector('meta[name="page-token"]').content;
const status = document.getElementById("status");
const place = document.getElementById("traced");

function swipe(figure) {
  const over = figure.querySelector(".theirs");
  const edge = figure.querySelector(".edge");
  const slide = figure.querySelector("input[type=range]");
  const draw = () => {
    over.style.clipPath = `inset(0 ${100 - slide.value}% 0 0)`;
    edge.style.left = `${slide.value}%`;
  };
  slide.addEventListener("input", draw);
  draw();
}

try {
  const answer = await fetch(place.dataset.ask, { method: "POST", headers: { "X-Ifdl-Token": token } });
  if (answer.ok) {
    place.innerHTML = await answer.text(); // rendered and escaped by the page's templates
    status.textContent = "Compared with the archive.";
    for (const slide of place.querySelectorAll(".compared input[type=range]")) swipe(slide.closest("figure"));
  } else status.textContent = `Not compared: ${(await answer.json()).error.reason}`;
} catch {
  status.textContent = "Not compared: the service does not answer.";
}
place.setAttribute("aria-busy", "false");
