// One point: hover, click, probabilities, neighbors, finding.
'use strict';
const assert = require('assert');
const {state, text, pointAt, clickPoint, placeOf, grays, lonePoints, still} = require('../actions.js');

function assertIsImage(shown, images, i) {
  assert.deepStrictEqual([shown.width, shown.height], [images.width, images.height]);
  const size = images.width * images.height;
  assert.deepStrictEqual(shown.pixels, [...images.pixels.subarray(i * size, (i + 1) * size)], `it is not image ${i}`);
}

const shares = page =>
  page.evaluate(() => [...document.querySelectorAll('#probabilities .share-of-one')].map(each => parseFloat(each.textContent)));

module.exports = {
  'what is pointed at is shown: its image, number, class, prediction, confidence': async ({open, run, images}) => {
    const page = await open(),
      points = await lonePoints(page, 6, 12);
    assert(points.length > 3);
    for (const i of points) {
      await pointAt(page, i);
      assert.strictEqual(await state(page, 'hover'), i);
      assertIsImage(await grays(page, '#tip canvas'), images, i);
      const lines = (await text(page, '#tip'))
        .split('\n')
        .map(line => line.trim())
        .filter(Boolean);
      assert(lines.includes(`#${i}`) && lines.includes(`true ${run.labels[i]}`), lines.join());
      assert(
        lines.some(line => line.startsWith(`said ${run.said[i]}`)),
        lines.join()
      );
      assert.strictEqual(
        lines.some(line => line.includes('wrong')),
        run.said[i] !== run.labels[i]
      );
      assert(Math.abs(parseFloat(lines[lines.length - 1]) - 100 * run.confidence[i]) <= 0.91, lines.join());
    }
  },

  'the point nearest to the pointer is meant, and none if all are far': async ({open, run}) => {
    const page = await open(),
      box = await page.locator('#overlay').boundingBox();
    const places = await page.evaluate(() => [...dlvizReport.standing.keys()].map(i => dlvizReport.place(i)));
    for (let k = 0; k < 60; k++) {
      const x = box.width * (0.1 + 0.8 * ((k * 0.618) % 1)),
        y = box.height * (0.1 + 0.8 * ((k * 0.414) % 1));
      await page.mouse.move(box.x + x, box.y + y);
      const distances = places.map(([px, py]) => Math.hypot(px - x, py - y)),
        least = Math.min(...distances),
        hover = await state(page, 'hover');
      if (least > 14.5) assert.strictEqual(hover, -1);
      else if (least < 13.5) assert(hover >= 0 && distances[hover] < least + 0.02, `${hover} at ${distances[hover]}, not ${least}`);
    }
    await page.mouse.move(5, 5);
    assert.strictEqual(await state(page, 'hover'), -1);
    assert(!(await page.locator('#tip').isVisible()));
    assert(run.n === places.length);
  },

  'a click keeps a point, and says it': async ({open, run, images}) => {
    const page = await open(),
      [i, j] = [run.wrong[0], (await lonePoints(page, 6, 1))[0]];
    await page.evaluate(point => selectPoint(point), i);
    assert.strictEqual(await text(page, '#inspector h2'), `Image ${i}`);
    assertIsImage(await grays(page, '#inspector canvas.picture'), images, i);
    assert((await text(page, '#verdict')).startsWith(`true ${run.labels[i]}, predicted ${run.said[i]} (wrong)`));
    await clickPoint(page, j);
    assert.strictEqual(await state(page, 'point'), j);
    assert.strictEqual(await text(page, '#inspector h2'), `Image ${j}`);
    assert((await text(page, '#status')).startsWith(`Image ${j}: true class ${run.labels[j]}, predicted ${run.said[j]}`));
    assertIsImage(await grays(page, '#inspector canvas.picture'), images, j);
  },

  'its probabilities are those of logits.npy': async ({open, run}) => {
    const page = await open();
    for (const i of [0, 1, run.wrong[0], run.wrong[1], run.n - 1]) {
      await page.evaluate(point => selectPoint(point), i);
      const shown = await shares(page);
      assert.strictEqual(shown.length, run.numClasses);
      run.probabilities[i].forEach((share, c) => {
        const off = Math.abs(Math.sqrt(shown[c] / 100) - Math.sqrt(share));
        assert(
          off < 0.5 / 255 + 0.0006 / (2 * Math.sqrt(Math.max(share, 1e-3))) + 0.01 * (share < 1e-3),
          `point ${i}, class ${c}: ${shown[c]} % for ${share}`
        );
      });
    }
  },

  'all probabilities are those of logits.npy, in 8 bits of their root': async ({open, run}) => {
    const page = await open(),
      values = await page.evaluate(() => [...dlvizReport.runs[0].probabilityValues()]);
    for (let i = 0; i < run.n; i++) {
      for (let c = 0; c < run.numClasses; c++) {
        const off = Math.abs(values[i * run.numClasses + c] / 255 - Math.sqrt(run.probabilities[i][c]));
        assert(off < 0.51 / 255, `point ${i}, class ${c}: off by ${off}`);
      }
    }
  },

  'its neighbors are the nearest in features.npy': async ({open, run}) => {
    const page = await open(),
      k = await page.evaluate(() => dlvizReport.runs[0].numNearest);
    assert(k >= 5);
    for (let step = 0; step < 40; step++) {
      const i = Math.floor((step * run.n) / 40),
        distances = run.distances(i);
      await page.evaluate(point => selectPoint(point), i);
      const shown = await page.evaluate(() =>
        [...document.querySelectorAll('#neighbors button')].map(button => Number(button.dataset.point))
      );
      const nearest = Float64Array.from(distances).sort().slice(0, k);
      assert.strictEqual(new Set(shown).size, k);
      shown.forEach((j, place) =>
        assert(
          Math.abs(distances[j] - nearest[place]) <= 1e-4 * nearest[place] + 1e-6,
          `neighbor ${place} of ${i} is at ${distances[j]}, not ${nearest[place]}`
        )
      );
    }
  },

  'neighbors of another class are framed, with their images': async ({open, run, images}) => {
    const page = await open();
    for (const i of run.wrong.slice(0, 5)) {
      await page.evaluate(point => selectPoint(point), i);
      const shown = await page.evaluate(() =>
        [...document.querySelectorAll('#neighbors button')].map(button => [
          Number(button.dataset.point),
          button.classList.contains('off'),
          getComputedStyle(button).borderTopColor,
        ])
      );
      const colors = new Set(shown.filter(each => each[1]).map(each => each[2])),
        others = new Set(shown.filter(each => !each[1]).map(each => each[2]));
      for (const [j, framed] of shown) assert.strictEqual(framed, run.labels[j] !== run.labels[i]);
      assert(![...colors].some(color => others.has(color)));
      assertIsImage(await grays(page, `#neighbors button[data-point="${shown[0][0]}"] canvas`), images, shown[0][0]);
    }
  },

  'lines go to the neighbors in the map': async ({open}) => {
    const page = await open(),
      point = (await lonePoints(page, 8, 1))[0];
    await page.evaluate(which => selectPoint(which), point);
    const ends = await page.evaluate(
      which =>
        [which, ...[...document.querySelectorAll('#neighbors button')].map(button => Number(button.dataset.point))].map(i =>
          dlvizReport.place(i)
        ),
      point
    );
    // Read once: Chromium warns of canvases that are read again and again.
    const overlay = await page.evaluate(() => {
      const canvas = document.getElementById('overlay'),
        data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      return {width: canvas.width, ink: [...data].filter((_, k) => k % 4 === 3)};
    });
    const inked = (x, y) => [-1, 0, 1].some(d => overlay.ink[Math.round(y) * overlay.width + Math.round(x) + d] > 60);
    for (const [x, y] of ends.slice(1)) {
      const length = Math.hypot(x - ends[0][0], y - ends[0][1]),
        along = share => [ends[0][0] + (x - ends[0][0]) * share, ends[0][1] + (y - ends[0][1]) * share];
      if (length < 40) continue;
      const found = [...Array(17).keys()].filter(k => inked(...along(0.5 + (k - 8) / length)));
      assert(found.length >= 7, `${found.length} of 17 places on the line have ink`);
    }
  },

  'a neighbor can be gone to': async ({open}) => {
    const page = await open();
    await page.evaluate(() => selectPoint(0));
    const next = page.locator('#neighbors button').nth(2),
      j = Number(await next.getAttribute('data-point'));
    await next.click();
    assert.strictEqual(await state(page, 'point'), j);
    assert.strictEqual(await text(page, '#inspector h2'), `Image ${j}`);
  },

  'what the network looked at is shown where it is known': async ({open, run}) => {
    const page = await open(),
      known = await page.evaluate(() => [...dlvizReport.runs[0].attributionOf().places.keys()]);
    for (const i of known) assert(run.wrong.includes(i), `${i} is right`);
    if (known.length) {
      await page.evaluate(point => selectPoint(point), known[0]);
      assert(await page.locator('#attribution').isVisible());
      const values = await page.evaluate(() => [...dlvizReport.runs[0].attributionOf().values.subarray(0, 28 * 28)]);
      const colors = await page.evaluate(() => {
        const canvas = document.getElementById('attribution');
        return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data];
      });
      values.forEach((value, k) => {
        const [red, , blue] = colors.slice(4 * k, 4 * k + 3);
        if (Math.abs(value) > 60) assert.strictEqual(red > blue, value > 0, `pixel ${k}: ${value} is ${red}, ${blue}`);
      });
    }
    await page.evaluate(
      point => selectPoint(point),
      [...run.labels.keys()].find(i => !known.includes(i))
    );
    assert.strictEqual(await page.locator('#attribution').count(), 0);
    const shown = await text(page, '#inspector');
    assert.strictEqual(shown.includes('is kept for misclassified images only'), known.length > 0, shown);
  },

  'its confidence is that of the bar of its prediction': async ({open, run}) => {
    const page = await open();
    for (const i of [0, 1, 2, ...run.wrong.slice(0, 10)]) {
      await page.evaluate(point => selectPoint(point), i);
      const shown = (await shares(page))[run.said[i]];
      assert((await text(page, '#verdict')).endsWith(` with ${shown.toFixed(1)}\u00a0%`), `${i}: ${await text(page, '#verdict')}`);
    }
  },

  'on a narrow window a button leads to what lies below the map': async ({open, run}) => {
    const wide = await open();
    await wide.click('#next-error');
    assert(!(await wide.locator('#to-details').isVisible()));
    const page = await open(null, {viewport: {width: 360, height: 780}, reducedMotion: 'reduce'});
    assert(!(await page.locator('#to-details').isVisible()));
    await page.click('#next-error');
    await page.click('#to-details');
    const box = await page.locator('#inspector h2').boundingBox();
    assert(box.y >= 0 && box.y < 780, JSON.stringify(box));
    assert.strictEqual(await page.evaluate('document.activeElement.id'), 'inspector');
    assert.strictEqual(await text(page, '#inspector h2'), `Image ${run.wrong[0]}`);
  },

  'finding by number': async ({open, run}) => {
    const page = await open();
    for (const i of [0, run.n - 1, 17]) {
      await page.fill('#wanted', String(i));
      await page.press('#wanted', 'Enter');
      assert.strictEqual(await state(page, 'point'), i);
    }
    await page.fill('#wanted', String(run.n));
    await page.click('#find button');
    assert.strictEqual(await state(page, 'point'), 17);
    assert((await text(page, '#status')).startsWith('There is no image of that number'));
  },

  'a point found beyond the frame comes into it': async ({open}) => {
    const page = await open(),
      box = await page.locator('#overlay').boundingBox();
    await page.evaluate(() => {
      dlvizReport.state.home = false;
      Object.assign(dlvizReport.view, {scale: 40, x: 0, y: 0});
      dlvizReport.draw();
    });
    await page.fill('#wanted', '3');
    await page.press('#wanted', 'Enter');
    await still(page);
    const [x, y] = await placeOf(page, 3);
    assert(x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height);
  },

  'the next error, and again from the first': async ({open, run}) => {
    const page = await open();
    for (const i of run.wrong.slice(0, 4)) {
      await page.click('#next-error');
      assert.strictEqual(await state(page, 'point'), i);
    }
    await page.evaluate(point => selectPoint(point), run.wrong[run.wrong.length - 1]);
    await page.click('#next-error');
    assert.strictEqual(await state(page, 'point'), run.wrong[0]);
  },
};
