// The gallery: what it shows, in which order, and what a click does.
'use strict';
const assert = require('assert');
const {state, text, grays, galleryPoints} = require('../actions.js');

// The order that was asked for, up to what 8 bits cannot tell apart.
async function assertOrder(page, name, value) {
  await page.selectOption('#order', name);
  const shown = await galleryPoints(page);
  for (let k = 1; k < shown.length; k++) assert(value(shown[k - 1]) <= value(shown[k]) + 0.00393, `${name}: place ${k}`);
  return shown;
}

module.exports = {
  'it shows the misclassified images, each its own': async ({open, run, images}) => {
    const page = await open(),
      shown = await galleryPoints(page),
      size = images.width * images.height;
    assert.strictEqual(shown.length, Math.min(60, run.wrong.length));
    assert(shown.every(i => run.wrong.includes(i)));
    assert((await text(page, '#gallery-count')).startsWith(run.wrong.length.toLocaleString('en-US')));
    for (const i of shown.slice(0, 10)) {
      const picture = await grays(page, `#gallery [data-point="${i}"] canvas`);
      assert.deepStrictEqual(picture.pixels, [...images.pixels.subarray(i * size, (i + 1) * size)]);
      const said = await page.locator(`#gallery button[data-point="${i}"]`).textContent();
      assert(said.startsWith(`Image ${i}${run.labels[i]} → ${run.said[i]}`), said);
    }
  },

  'its orders': async ({open, run}) => {
    const page = await open();
    const confident = await assertOrder(page, 'confident', i => -run.confidence[i]),
      unsure = await assertOrder(page, 'unsure', i => run.confidence[i]);
    const least = Math.min(...run.wrong.map(i => run.confidence[i])),
      most = Math.max(...run.wrong.map(i => run.confidence[i]));
    assert(run.confidence[confident[0]] > most - 0.004 && run.confidence[unsure[0]] < least + 0.004);
    await assertOrder(page, 'class', i => run.labels[i]);
    assert.deepStrictEqual(await assertOrder(page, 'number', i => i), run.wrong.slice(0, 60));
  },

  'more can be shown': async ({open, run}) => {
    const page = await open();
    await page.selectOption('#order', 'number');
    if (run.wrong.length <= 60) {
      assert.strictEqual(await page.locator('#gallery .more').count(), 0);
      return;
    }
    await page.click('#gallery .more');
    assert.deepStrictEqual(await galleryPoints(page), run.wrong.slice(0, 300));
  },

  'a click selects, pointing rings in the map': async ({open, run}) => {
    const page = await open();
    await page.selectOption('#order', 'number');
    await page.hover(`#gallery button[data-point="${run.wrong[1]}"]`);
    assert.strictEqual(await state(page, 'hover'), run.wrong[1]);
    await page.click(`#gallery button[data-point="${run.wrong[1]}"]`);
    assert.strictEqual(await state(page, 'point'), run.wrong[1]);
    assert.strictEqual(await page.getAttribute(`#gallery button[data-point="${run.wrong[1]}"]`, 'aria-current'), 'true');
    assert.strictEqual(await text(page, '#inspector h2'), `Image ${run.wrong[1]}`);
  },
};
