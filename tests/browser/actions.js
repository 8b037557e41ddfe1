// actions.js - what a reader does with a page, and what is then seen.
'use strict';
const {until} = require('./browser.js');

// Ends a case that has nothing to look at here.
function skip(why) {
  throw Object.assign(new Error(why), {skips: true});
}

const still = page => until(page, '!dlvizReport.moving');
const state = (page, name) => page.evaluate(`dlvizReport.state.${name}`);
const text = (page, selector) => page.locator(selector).innerText();

// Where a point is, in the window's CSS pixels, with the map in the window.
async function placeOf(page, point) {
  await page.locator('#stage').scrollIntoViewIfNeeded();
  const [x, y] = await page.evaluate(which => dlvizReport.place(which), point);
  const box = await page.locator('#overlay').boundingBox();
  return [box.x + x, box.y + y];
}

async function pointAt(page, point) {
  await page.mouse.move(...(await placeOf(page, point)));
}

async function clickPoint(page, point) {
  await page.mouse.click(...(await placeOf(page, point)));
}

// What is selected, as the gallery would have it all.
const selected = page => page.evaluate(() => [...dlvizReport.standing.keys()].filter(i => dlvizReport.standing[i] === 2));

// The red, green and blue of a canvas's pixel at a place in CSS pixels.
const pixel = (page, selector, x, y) =>
  page.evaluate(
    ([which, left, top]) => {
      const canvas = document.querySelector(which),
        scale = canvas.width / canvas.clientWidth;
      return [...canvas.getContext('2d').getImageData(Math.floor(left * scale), Math.floor(top * scale), 1, 1).data];
    },
    [selector, x, y]
  );

// The gray of each pixel of a picture, whose three channels must be one.
const grays = (page, selector) =>
  page.evaluate(which => {
    const canvas = document.querySelector(which),
      data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const result = [];
    for (let k = 0; k < data.length; k += 4) result.push(data[k] === data[k + 1] && data[k] === data[k + 2] ? data[k] : -1);
    return {width: canvas.width, height: canvas.height, pixels: result};
  }, selector);

// Points that have no other within some CSS pixels, up to `most` of them.
const lonePoints = (page, distance, most) =>
  page.evaluate(
    ([far, limit]) => {
      const places = [...dlvizReport.standing.keys()].map(i => dlvizReport.place(i)),
        cells = new Map(),
        found = [];
      const key = (x, y) => Math.floor(x / far) * 100000 + Math.floor(y / far);
      places.forEach(([x, y], i) => cells.set(key(x, y), [...(cells.get(key(x, y)) || []), i]));
      const box = document.getElementById('overlay').getBoundingClientRect();
      for (let i = 0; i < places.length && found.length < limit; i++) {
        const [x, y] = places[i];
        if (x < far || y < far || x > box.width - far || y > box.height - far) continue;
        let alone = true;
        for (const dx of [-far, 0, far]) {
          for (const dy of [-far, 0, far]) {
            for (const j of cells.get(key(x + dx, y + dy)) || []) {
              if (j !== i && Math.hypot(places[j][0] - x, places[j][1] - y) < far) alone = false;
            }
          }
        }
        if (alone) found.push(i);
      }
      return found;
    },
    [distance, most]
  );

async function choose(page, group, value) {
  await page.locator(`input[name="${group}"][value="${value}"]`).click();
  await still(page);
}

// The matrix as it is shown.
const matrix = (page, numClasses) =>
  page.evaluate(
    count =>
      [...Array(count).keys()].map(row => {
        const cells = document.querySelectorAll('.matrix tbody tr')[row].querySelectorAll('td:not(.recall)');
        return [...cells].map(cell => Number(cell.textContent.replace(/\D/g, '')) || 0);
      }),
    numClasses
  );

const galleryPoints = page =>
  page.evaluate(() => [...document.querySelectorAll('#gallery button[data-point]')].map(button => Number(button.dataset.point)));

module.exports = {
  skip,
  still,
  state,
  text,
  placeOf,
  pointAt,
  clickPoint,
  selected,
  pixel,
  grays,
  lonePoints,
  choose,
  matrix,
  galleryPoints,
};
