"use strict";
const root = document.documentElement, words = JSON.parse(document.getElementById("words").textContent);
root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
function shorten(text, most) { return text.length > most ? text.slice(0, most - 1) + "…" : text; }
