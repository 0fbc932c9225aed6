// A cache without an end, about 1.4 MiB a second, beside as much garbage that comes and goes; all of it
// can be reached. For as many seconds as it is told.
"use strict";
const cache = new Map();
let number = 0;

function answer(key) {
  const rows = [];
  for (let i = 0; i < 2600; i++) rows.push({ key, i, text: "row " + key + " " + i });
  return rows;
}

function handle() {
  const key = "request " + number++;
  cache.set(key, answer(key));
}

const work = setInterval(() => {
  handle();
  answer("for nobody");
}, 200);

setTimeout(() => {
  clearInterval(work);
  process.exit(cache.size === number ? 0 : 1);
}, 1000 * Number(process.argv[2]));
