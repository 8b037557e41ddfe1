// The lasso: drawn, clicked, and by keys.
'use strict';
const assert = require('assert');
const {inside} = require('../truth.js');
const {state, text, selected, matrix, galleryPoints} = require('../actions.js');

// A polygon about the middle of a class's points, in the frame's CSS pixels.
async function around(page, run, label, radius, corners) {
  const places = await allPlaces(page),
    own = [...run.labels.keys()].filter(i => run.labels[i] === label);
  const middle = axis => own.map(i => places[i][axis]).sort((a, b) => a - b)[own.length >> 1],
    x = middle(0),
    y = middle(1);
  return [...Array(corners).keys()].map(k => {
    const angle = (2 * Math.PI * (k + 0.3)) / corners,
      far = radius * (k % 2 ? 0.8 : 1);
    return [x + far * Math.cos(angle), y + far * Math.sin(angle)];
  });
}

const allPlaces = page => page.evaluate(() => [...dlvizReport.standing.keys()].map(i => dlvizReport.place(i)));

// Those in the polygon, whatever points within a pixel of its edge are held to be.
async function assertSelects(page, polygon) {
  const places = await allPlaces(page),
    chosen = new Set(await selected(page));
  let sure = 0;
  places.forEach((place, i) => {
    const votes = [
      [0, 0],
      [1.2, 0],
      [-1.2, 0],
      [0, 1.2],
      [0, -1.2],
    ].map(([dx, dy]) => inside(polygon, [place[0] + dx, place[1] + dy]));
    if (votes.some(vote => vote !== votes[0])) return;
    sure += votes[0];
    assert.strictEqual(chosen.has(i), votes[0], `point ${i}`);
  });
  assert(sure > 5, `${sure} points in the polygon`);
  return [...chosen];
}

async function drag(page, polygon, shift) {
  const box = await page.locator('#overlay').boundingBox();
  if (shift) await page.keyboard.down('Shift');
  await page.mouse.move(box.x + polygon[0][0], box.y + polygon[0][1]);
  await page.mouse.down();
  for (const [x, y] of [...polygon.slice(1), polygon[0]]) await page.mouse.move(box.x + x, box.y + y, {steps: 4});
  await page.mouse.up();
  if (shift) await page.keyboard.up('Shift');
}

module.exports = {
  'Shift and drag select what lies in the line; matrix and gallery follow': async ({open, run}) => {
    const page = await open(),
      polygon = await around(page, run, 7, 90, 9);
    await drag(page, polygon, true);
    const chosen = await assertSelects(page, polygon);
    assert.deepStrictEqual(await matrix(page, run.numClasses), run.confusion(chosen));
    const shown = await galleryPoints(page);
    assert(shown.length === Math.min(60, chosen.length) && shown.every(i => chosen.includes(i)));
    const wrong = chosen.filter(i => run.said[i] !== run.labels[i]).length;
    assert((await text(page, '#status')).includes(`${wrong} of them wrong`));
  },

  'a cell inside a lasso selects what is in both': async ({open, run}) => {
    const page = await open(),
      polygon = await around(page, run, 7, 90, 8);
    await drag(page, polygon, true);
    const chosen = await selected(page);
    await page.click('.matrix button[data-cell="7 7"]');
    assert.deepStrictEqual(
      await selected(page),
      chosen.filter(i => run.labels[i] === 7 && run.said[i] === 7)
    );
    assert.deepStrictEqual(await matrix(page, run.numClasses), run.confusion(chosen));
  },

  'the tool: dragged without Shift': async ({open, run}) => {
    const page = await open(),
      polygon = await around(page, run, 2, 70, 8);
    await page.click('#lasso');
    assert.strictEqual(await page.getAttribute('#lasso', 'aria-pressed'), 'true');
    await drag(page, polygon, false);
    await assertSelects(page, polygon);
    assert.strictEqual(await page.getAttribute('#lasso', 'aria-pressed'), 'false');
  },

  'the tool: corners clicked, without any dragging': async ({open, run}) => {
    const page = await open(),
      polygon = await around(page, run, 0, 80, 5),
      box = await page.locator('#overlay').boundingBox();
    await page.click('#lasso');
    for (const [x, y] of polygon) await page.mouse.click(box.x + x, box.y + y);
    await page.click('#lasso');
    await assertSelects(page, polygon);
  },

  'by keys: corners at points, Enter closes; two make a box': async ({open, run}) => {
    const page = await open(),
      places = await allPlaces(page);
    const a = run.labels.indexOf(1),
      b = [...run.labels.keys()].find(
        i => run.labels[i] === 1 && Math.abs(places[i][0] - places[a][0]) > 15 && Math.abs(places[i][1] - places[a][1]) > 15
      );
    await page.focus('#overlay');
    for (const i of [a, b]) {
      await page.evaluate(which => walkTo(which), i);
      await page.keyboard.press('l');
    }
    await page.keyboard.press('Enter');
    const [left, right] = [places[a][0], places[b][0]].sort((p, q) => p - q),
      [top, bottom] = [places[a][1], places[b][1]].sort((p, q) => p - q);
    const chosen = new Set(await selected(page)),
      edge = 0.6;
    assert(chosen.has(a) && chosen.has(b), 'the corners themselves');
    places.forEach(([x, y], i) => {
      if (x > left + edge && x < right - edge && y > top + edge && y < bottom - edge) assert(chosen.has(i), `${i} lies in the box`);
      if (x < left - edge || x > right + edge || y < top - edge || y > bottom + edge) assert(!chosen.has(i), `${i} lies outside`);
    });
  },

  'Escape leaves a lasso that is not closed': async ({open, run}) => {
    const page = await open();
    await page.focus('#overlay');
    await page.evaluate(() => walkTo(0));
    await page.keyboard.press('l');
    await page.keyboard.press('Escape');
    assert.strictEqual(await state(page, 'lasso'), null);
    assert.strictEqual((await selected(page)).length, run.n);
  },
};
