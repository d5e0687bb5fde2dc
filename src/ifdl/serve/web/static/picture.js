// The page of one picture: takes what arrives, and wakes what it brings.

import { box } from "/static/box.js";
import { layers } from "/static/layers.js";
import { stage } from "/static/stage.js";

const main = document.getElementById("main");
const status = document.getElementById("status");
const woken = {};

function wake() {
  if (!woken.viewer && document.getElementById("sheet")) {
    woken.viewer = stage();
    box(woken.viewer);
  }
  if (woken.viewer && document.querySelector("#layers .switches")) layers(woken.viewer);
}

function take(told) {
  if (status.textContent !== told.status) status.textContent = told.status;
  for (const [name, part] of Object.entries(told.parts)) {
    const place = document.getElementById(name);
    if (place.dataset.version === part.version) continue;
    place.innerHTML = part.html; // rendered and escaped by the same templates as the page
    place.dataset.version = part.version;
  }
  wake();
}

wake();
if (main.dataset.done !== "yes") {
  const events = new EventSource(`/pictures/${main.dataset.job}/events`);
  events.onmessage = (event) => {
    const told = JSON.parse(event.data);
    take(told);
    if (told.done) {
      events.close();
      main.dataset.done = "yes";
    }
  };
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED) status.textContent = "The service does not answer any more.";
  };
}
